/* SPDX-License-Identifier: GPL-2.0-only */
/* vGPUs: what types there are, what room there is for them, and how a function offers them. */
#ifndef LAB_VGPUS_H
#define LAB_VGPUS_H

#include "nvidia.h"

enum { LAB_MOST_PARAMS = 256 };

/* A row of the catalogue, see the generated types.inc. */
struct lab_type {
	u16 device;			/* PCI id of the board */
	unsigned int id;
	const char *name;
	char series;
	unsigned int size_mb, max, heads;
	const char *resolution;
	const char *instance;		/* profile of the GPU instance that it needs, or NULL: time-sliced */
};

/* What a function offers, and the vGPU on it if it is a virtual one. */
struct lab_offer {
	struct lab_function *function;
	unsigned int vgpus;
	void *framework;		/* what the framework keeps of it */
};

/* One vGPU's place on its GPU. */
struct lab_place {
	struct lab_offer *offer;
	const struct lab_type *type;
	unsigned int instance;		/* id of its GPU instance */
};

/* types.c */
const struct lab_type *lab_next_type(const struct lab_offer *offer, const struct lab_type *last);
unsigned int lab_room(const struct lab_offer *offer, const struct lab_type *type);
/* -ENOSPC: there is none. Blocks while the module's parameter says so. */
int lab_take_place(struct lab_place *place, struct lab_offer *offer, const struct lab_type *type);
void lab_leave_place(struct lab_place *place);
/* The text of gpu_instance_id; empty of a vGPU that is on none. */
ssize_t lab_show_instance(const struct lab_place *place, char *text);

/* params.c: the text of vgpu_params */
struct lab_params {
	struct mutex lock;		/* over text */
	char text[LAB_MOST_PARAMS];
};
ssize_t lab_show_params(struct lab_params *params, char *text);
/* Zero or an error; while a guest has the vGPU, they are not set. */
int lab_set_params(struct lab_params *params, bool in_use, const char *text);

/* The frameworks. */
struct lab_framework {
	int (*offer)(struct lab_offer *offer);
	void (*withdraw)(struct lab_offer *offer);
};
extern const struct lab_framework lab_mediated, lab_vendor_specific;
int lab_mediated_init(void);
void lab_mediated_exit(void);

#endif
