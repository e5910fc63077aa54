/* SPDX-License-Identifier: GPL-2.0-only */
/* The PCI device that a guest sees of a vGPU. */
#ifndef LAB_VGPU_DEVICE_H
#define LAB_VGPU_DEVICE_H

#include <linux/vfio.h>

#include "nvidia.h"

enum { LAB_CONFIG_SIZE = 256 };

struct lab_vgpu {
	struct vfio_device vfio;
	struct lab_function *function;
	struct mutex lock;		/* over config */
	u8 config[LAB_CONFIG_SIZE];
	bool opened;
};

void lab_vgpu_init(struct lab_vgpu *vgpu, struct lab_function *function);
int lab_vgpu_open(struct vfio_device *vfio);
void lab_vgpu_close(struct vfio_device *vfio);
ssize_t lab_vgpu_read(struct vfio_device *vfio, char __user *buffer, size_t count, loff_t *at);
ssize_t lab_vgpu_write(struct vfio_device *vfio, const char __user *buffer, size_t count, loff_t *at);
long lab_vgpu_ioctl(struct vfio_device *vfio, unsigned int command, unsigned long argument);

#endif
