/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two modules share: the GPUs that the driver has, and their functions. */
#ifndef LAB_NVIDIA_H
#define LAB_NVIDIA_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <linux/wait.h>

enum { LAB_MOST_INSTANCES = 16, LAB_PROFILE_NAME = 16 };

/* A GPU instance, as far as vGPUs are concerned. How a GPU is partitioned is the library's business. */
struct lab_instance {
	unsigned int id;
	char profile[LAB_PROFILE_NAME];
	unsigned int vgpus;
};

/* A physical function, for as long as the driver has it. */
struct lab_gpu {
	struct list_head entry;
	struct pci_dev *pdev;
	struct device *node;
	struct proc_dir_entry *proc;
	unsigned int minor;
	unsigned int bound;		/* a number that no other time of being bound has */
	wait_queue_head_t closed;

	struct mutex lock;		/* over all below */
	unsigned int opens;		/* descriptors of its node, and vGPUs that guests have */
	unsigned int resets;
	bool unbind_locked;		/* nobody opens it any more: it is about to be unbound */
	bool partitioned;
	unsigned int instance_count;
	struct lab_instance instances[LAB_MOST_INSTANCES];
	unsigned int vgpus;		/* time-sliced ones, of one size */
	unsigned int vgpu_size_mb;
};

struct lab_offer;

/* A physical or virtual function that is bound to the driver. */
struct lab_function {
	struct list_head entry;
	struct pci_dev *pdev;
	struct lab_gpu *gpu;
	struct lab_offer *vgpus;	/* of the other module, NULL: it offers none */
};

/* What the module of vGPUs is told of functions that come and go. */
struct lab_vgpu_module {
	void (*added)(struct lab_function *function);
	void (*removed)(struct lab_function *function);
};

int lab_set_vgpu_module(const struct lab_vgpu_module *module);
void lab_clear_vgpu_module(void);

/* Opened by somebody, who keeps it from being reset or unbound. */
int lab_hold(struct lab_gpu *gpu);
void lab_release(struct lab_gpu *gpu);

/* nodes.c: /dev and /proc */
int lab_nodes_init(void);
void lab_nodes_exit(void);
int lab_add_node(struct lab_gpu *gpu);
void lab_remove_node(struct lab_gpu *gpu);
/* Of a GPU with this minor number, held; NULL if there is none, an error if it cannot be opened. */
struct lab_gpu *lab_hold_minor(unsigned int minor);

/* attributes.c: what the library sees and sets in sysfs */
extern const struct attribute_group *lab_groups[];

#endif
