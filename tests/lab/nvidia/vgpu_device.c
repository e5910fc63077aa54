// SPDX-License-Identifier: GPL-2.0-only
/* A PCI device with the ids of its GPU, one region of registers that forget what is written, and no interrupts. */
#include <linux/uaccess.h>

#include "vgpu_device.h"

#define REGISTERS_SIZE 4096U
#define REGION_SHIFT 40
#define REGION_START(index) ((u64)(index) << REGION_SHIFT)
#define LARGEST_WRITE 4U

static struct lab_vgpu *vgpu_of(struct vfio_device *vfio)
{
	return container_of(vfio, struct lab_vgpu, vfio);
}

void lab_vgpu_init(struct lab_vgpu *vgpu, struct lab_function *function)
{
	struct pci_dev *gpu = function->gpu->pdev;

	vgpu->function = function;
	mutex_init(&vgpu->lock);
	*(__le16 *)&vgpu->config[PCI_VENDOR_ID] = cpu_to_le16(gpu->vendor);
	*(__le16 *)&vgpu->config[PCI_DEVICE_ID] = cpu_to_le16(gpu->device);
	*(__le16 *)&vgpu->config[PCI_SUBSYSTEM_VENDOR_ID] = cpu_to_le16(gpu->subsystem_vendor);
	*(__le16 *)&vgpu->config[PCI_SUBSYSTEM_ID] = cpu_to_le16(gpu->subsystem_device);
	*(__le16 *)&vgpu->config[PCI_CLASS_DEVICE] = cpu_to_le16(PCI_CLASS_DISPLAY_3D);
}

/* As the manager's process for a guest, it holds the GPU. */
int lab_vgpu_open(struct vfio_device *vfio)
{
	int ret = lab_hold(vgpu_of(vfio)->function->gpu);

	if (!ret)
		vgpu_of(vfio)->opened = true;
	return ret;
}

void lab_vgpu_close(struct vfio_device *vfio)
{
	vgpu_of(vfio)->opened = false;
	lab_release(vgpu_of(vfio)->function->gpu);
}

static bool is_config(loff_t at)
{
	return at >> REGION_SHIFT == VFIO_PCI_CONFIG_REGION_INDEX;
}

static bool is_inside(loff_t at, size_t count)
{
	u64 offset = at & (REGION_START(1) - 1);

	return offset + count <= (is_config(at) ? LAB_CONFIG_SIZE : REGISTERS_SIZE);
}

ssize_t lab_vgpu_read(struct vfio_device *vfio, char __user *buffer, size_t count, loff_t *at)
{
	struct lab_vgpu *vgpu = vgpu_of(vfio);
	unsigned long left;

	if (!is_inside(*at, count))
		return -EINVAL;
	mutex_lock(&vgpu->lock);
	left = is_config(*at) ? copy_to_user(buffer, vgpu->config + (*at & (REGION_START(1) - 1)), count)
			      : clear_user(buffer, count);
	mutex_unlock(&vgpu->lock);
	if (left)
		return -EFAULT;
	*at += count;
	return count;
}

static void set_config(struct lab_vgpu *vgpu, unsigned int offset, const u8 *value, size_t count)
{
	if (offset == PCI_BASE_ADDRESS_0 && count == sizeof(__le32))
		*(__le32 *)&vgpu->config[offset] = *(const __le32 *)value & cpu_to_le32(~(REGISTERS_SIZE - 1));
	else if (offset == PCI_COMMAND)
		vgpu->config[offset] = value[0] & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

ssize_t lab_vgpu_write(struct vfio_device *vfio, const char __user *buffer, size_t count, loff_t *at)
{
	struct lab_vgpu *vgpu = vgpu_of(vfio);
	u8 value[LARGEST_WRITE] = {};

	if (!is_inside(*at, count))
		return -EINVAL;
	if (is_config(*at) && count <= sizeof(value)) {
		if (copy_from_user(value, buffer, count))
			return -EFAULT;
		mutex_lock(&vgpu->lock);
		set_config(vgpu, *at & (REGION_START(1) - 1), value, count);
		mutex_unlock(&vgpu->lock);
	}
	*at += count;
	return count;
}

static long device_info(void __user *argument)
{
	struct vfio_device_info info = {};
	unsigned long size = offsetofend(struct vfio_device_info, num_irqs);

	if (copy_from_user(&info, argument, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(argument, &info, size) ? -EFAULT : 0;
}

static u64 size_of_region(unsigned int index)
{
	switch (index) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return LAB_CONFIG_SIZE;
	case VFIO_PCI_BAR0_REGION_INDEX:
		return REGISTERS_SIZE;
	default:
		return 0;
	}
}

static long region_info(void __user *argument)
{
	struct vfio_region_info info = {};
	unsigned long size = offsetofend(struct vfio_region_info, offset);

	if (copy_from_user(&info, argument, size))
		return -EFAULT;
	if (info.argsz < size || info.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info.offset = REGION_START(info.index);
	info.size = size_of_region(info.index);
	info.flags = info.size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
	return copy_to_user(argument, &info, size) ? -EFAULT : 0;
}

static long interrupt_info(void __user *argument)
{
	struct vfio_irq_info info = {};
	unsigned long size = offsetofend(struct vfio_irq_info, count);

	if (copy_from_user(&info, argument, size))
		return -EFAULT;
	if (info.argsz < size || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.flags = VFIO_IRQ_INFO_EVENTFD;
	info.count = 0;
	return copy_to_user(argument, &info, size) ? -EFAULT : 0;
}

long lab_vgpu_ioctl(struct vfio_device *vfio, unsigned int command, unsigned long argument)
{
	switch (command) {
	case VFIO_DEVICE_GET_INFO:
		return device_info((void __user *)argument);
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info((void __user *)argument);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return interrupt_info((void __user *)argument);
	case VFIO_DEVICE_SET_IRQS:
	case VFIO_DEVICE_RESET:
		return 0;
	default:
		return -ENOTTY;
	}
}
