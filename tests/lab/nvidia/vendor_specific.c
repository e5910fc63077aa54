// SPDX-License-Identifier: GPL-2.0-only
/* vGPUs as virtual functions that are told their type: the folder nvidia/ of a function. The function stays with this
 * driver, and VFIO has it while it has a type.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/slab.h>

#include "vgpu_device.h"
#include "vgpus.h"

struct typed_function {
	struct lab_vgpu vgpu;
	struct lab_place place;
};

/* What lies in the folder of a function. */
struct folder {
	struct mutex lock;			/* over all below */
	const struct lab_type *wanted;		/* while a typed function is made */
	struct typed_function *typed;
	struct lab_params params;
};

static struct lab_offer *offer_of(struct device *device)
{
	struct lab_function *function = dev_get_drvdata(device);

	return function->vgpus;
}

static struct folder *folder_of(struct device *device)
{
	return offer_of(device)->framework;
}

static int init_device(struct vfio_device *vfio)
{
	struct typed_function *typed = container_of(vfio, struct typed_function, vgpu.vfio);
	struct lab_offer *offer = offer_of(vfio->dev);
	int ret = lab_take_place(&typed->place, offer, folder_of(vfio->dev)->wanted);

	if (!ret)
		lab_vgpu_init(&typed->vgpu, offer->function);
	return ret;
}

static void release_device(struct vfio_device *vfio)
{
	struct typed_function *typed = container_of(vfio, struct typed_function, vgpu.vfio);

	lab_leave_place(&typed->place);
	vfio_free_device(vfio);
}

static const struct vfio_device_ops device_operations = {
	.name = "nvidia-vgpu-vfio",
	.init = init_device,
	.release = release_device,
	.open_device = lab_vgpu_open,
	.close_device = lab_vgpu_close,
	.read = lab_vgpu_read,
	.write = lab_vgpu_write,
	.ioctl = lab_vgpu_ioctl,
};

static int give_type(struct device *device, struct folder *folder, const struct lab_type *type)
{
	struct typed_function *typed;
	int ret;

	folder->wanted = type;
	typed = vfio_alloc_device(typed_function, vgpu.vfio, device, &device_operations);
	if (IS_ERR(typed))
		return PTR_ERR(typed) == -ENOSPC ? -EINVAL : PTR_ERR(typed);
	ret = device_iommu_mapped(device) ? vfio_register_group_dev(&typed->vgpu.vfio)
					  : vfio_register_emulated_iommu_dev(&typed->vgpu.vfio);
	if (ret)
		vfio_put_device(&typed->vgpu.vfio);
	else
		folder->typed = typed;
	return ret;
}

/* Waits for the guest that has it, past every signal. */
static void take_type(struct folder *folder)
{
	if (!folder->typed)
		return;
	vfio_unregister_group_dev(&folder->typed->vgpu.vfio);
	vfio_put_device(&folder->typed->vgpu.vfio);
	folder->typed = NULL;
	folder->params.text[0] = '\0';
}

static ssize_t creatable_vgpu_types_show(struct device *device, struct device_attribute *attribute, char *text)
{
	int length = sysfs_emit(text, "ID    : vGPU Name\n");
	const struct lab_type *type = NULL;

	while ((type = lab_next_type(offer_of(device), type)) != NULL)
		if (lab_room(offer_of(device), type))
			length += sysfs_emit_at(text, length, "%-6u: %s\n", type->id, type->name);
	return length;
}
static DEVICE_ATTR_RO(creatable_vgpu_types);

static ssize_t current_vgpu_type_show(struct device *device, struct device_attribute *attribute, char *text)
{
	const struct typed_function *typed = READ_ONCE(folder_of(device)->typed);

	return sysfs_emit(text, "%u\n", typed ? typed->place.type->id : 0);
}

static const struct lab_type *type_with(const struct lab_offer *offer, unsigned int id)
{
	const struct lab_type *type = NULL;

	while ((type = lab_next_type(offer, type)) != NULL)
		if (type->id == id)
			return type;
	return NULL;
}

static ssize_t current_vgpu_type_store(struct device *device, struct device_attribute *attribute, const char *text,
				       size_t count)
{
	struct folder *folder = folder_of(device);
	const struct lab_type *type = NULL;
	unsigned int id;
	int ret = kstrtouint(text, 0, &id);

	if (ret)
		return ret;
	if (id) {
		type = type_with(offer_of(device), id);
		if (!type)
			return -EINVAL;
	}
	mutex_lock(&folder->lock);
	if (!type)
		take_type(folder);
	else
		ret = folder->typed ? -EBUSY : give_type(device, folder, type);
	mutex_unlock(&folder->lock);
	return ret ?: count;
}
static DEVICE_ATTR_RW(current_vgpu_type);

/* The others can be read and set only while the function has a type. */
static ssize_t vgpu_params_show(struct device *device, struct device_attribute *attribute, char *text)
{
	return folder_of(device)->typed ? lab_show_params(&folder_of(device)->params, text) : 0;
}

static ssize_t vgpu_params_store(struct device *device, struct device_attribute *attribute, const char *text, size_t count)
{
	struct folder *folder = folder_of(device);
	int ret = -EINVAL;

	mutex_lock(&folder->lock);
	if (folder->typed)
		ret = lab_set_params(&folder->params, folder->typed->vgpu.opened, text);
	mutex_unlock(&folder->lock);
	return ret ?: count;
}
static DEVICE_ATTR_RW(vgpu_params);

static ssize_t gpu_instance_id_show(struct device *device, struct device_attribute *attribute, char *text)
{
	const struct typed_function *typed = READ_ONCE(folder_of(device)->typed);

	return typed ? lab_show_instance(&typed->place, text) : 0;
}
static DEVICE_ATTR_RO(gpu_instance_id);

static struct attribute *attributes[] = {
	&dev_attr_creatable_vgpu_types.attr, &dev_attr_current_vgpu_type.attr, &dev_attr_vgpu_params.attr,
	&dev_attr_gpu_instance_id.attr, NULL,
};
static const struct attribute_group group = { .name = "nvidia", .attrs = attributes };

static int offer_types(struct lab_offer *offer)
{
	struct folder *folder = kzalloc(sizeof(*folder), GFP_KERNEL);
	int ret;

	if (!folder)
		return -ENOMEM;
	mutex_init(&folder->lock);
	mutex_init(&folder->params.lock);
	offer->framework = folder;
	ret = device_add_group(&offer->function->pdev->dev, &group);
	if (ret)
		kfree(folder);
	return ret;
}

static void withdraw_types(struct lab_offer *offer)
{
	struct folder *folder = offer->framework;

	device_remove_group(&offer->function->pdev->dev, &group);
	take_type(folder);
	kfree(folder);
}

const struct lab_framework lab_vendor_specific = { .offer = offer_types, .withdraw = withdraw_types };
