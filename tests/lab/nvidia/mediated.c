// SPDX-License-Identifier: GPL-2.0-only
/* vGPUs as mediated devices of their function. */
#include <linux/device.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "vgpu_device.h"
#include "vgpus.h"

enum { MOST_ID = 12 };

struct offered_type {
	struct mdev_type mdev;
	const struct lab_type *type;
	char id[MOST_ID];
};

struct offered_types {
	struct mdev_parent parent;
	struct lab_offer *offer;
	struct mdev_type **list;
	struct offered_type types[];
};

struct mediated {
	struct lab_vgpu vgpu;
	struct lab_place place;
	struct lab_params params;
};

static const struct lab_type *type_of(struct mdev_type *mdev)
{
	return container_of(mdev, struct offered_type, mdev)->type;
}

static struct lab_offer *offer_of(struct mdev_type *mdev)
{
	return container_of(mdev->parent, struct offered_types, parent)->offer;
}

static struct mediated *mediated_of(struct device *device)
{
	return dev_get_drvdata(device);
}

static int init_device(struct vfio_device *vfio)
{
	struct mediated *made = container_of(vfio, struct mediated, vgpu.vfio);
	struct mdev_type *mdev = to_mdev_device(vfio->dev)->type;
	int ret = lab_take_place(&made->place, offer_of(mdev), type_of(mdev));

	if (ret)
		return ret;
	mutex_init(&made->params.lock);
	lab_vgpu_init(&made->vgpu, made->place.offer->function);
	return 0;
}

static void release_device(struct vfio_device *vfio)
{
	struct mediated *made = container_of(vfio, struct mediated, vgpu.vfio);

	lab_leave_place(&made->place);
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

static int probe(struct mdev_device *device)
{
	struct mediated *made = vfio_alloc_device(mediated, vgpu.vfio, &device->dev, &device_operations);
	int ret;

	if (IS_ERR(made))
		return PTR_ERR(made);
	dev_set_drvdata(&device->dev, made);
	ret = vfio_register_emulated_iommu_dev(&made->vgpu.vfio);
	if (ret)
		vfio_put_device(&made->vgpu.vfio);
	return ret;
}

static void remove(struct mdev_device *device)
{
	struct mediated *made = mediated_of(&device->dev);

	vfio_unregister_group_dev(&made->vgpu.vfio);
	vfio_put_device(&made->vgpu.vfio);
}

static unsigned int available(struct mdev_type *mdev)
{
	return lab_room(offer_of(mdev), type_of(mdev));
}

/* The frame rate of vPC is limited to 45. */
static ssize_t describe(struct mdev_type *mdev, char *text)
{
	const struct lab_type *type = type_of(mdev);

	return sysfs_emit(text, "num_heads=%u, frl_config=%u, framebuffer=%uM, max_resolution=%s, max_instance=%u\n",
			  type->heads, type->series == 'B' ? 45 : 60, type->size_mb, type->resolution, type->max);
}

static ssize_t vgpu_params_show(struct device *device, struct device_attribute *attribute, char *text)
{
	return lab_show_params(&mediated_of(device)->params, text);
}

static ssize_t vgpu_params_store(struct device *device, struct device_attribute *attribute, const char *text, size_t count)
{
	struct mediated *made = mediated_of(device);

	return lab_set_params(&made->params, made->vgpu.opened, text) ?: count;
}
static DEVICE_ATTR_RW(vgpu_params);

static ssize_t gpu_instance_id_show(struct device *device, struct device_attribute *attribute, char *text)
{
	return lab_show_instance(&mediated_of(device)->place, text);
}
static DEVICE_ATTR_RO(gpu_instance_id);

static struct attribute *attributes[] = { &dev_attr_vgpu_params.attr, &dev_attr_gpu_instance_id.attr, NULL };
static const struct attribute_group group = { .name = "nvidia", .attrs = attributes };
static const struct attribute_group *groups[] = { &group, NULL };

static struct mdev_driver driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.probe = probe,
	.remove = remove,
	.get_available = available,
	.show_description = describe,
	.driver = {
		.name = "nvidia-vgpu-vfio",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
		.dev_groups = groups,
	},
};

static int offer_types(struct lab_offer *offer)
{
	const struct lab_type *type = NULL;
	struct offered_types *all;
	unsigned int count = 0, i;
	int ret = -ENOMEM;

	while ((type = lab_next_type(offer, type)) != NULL)
		count++;
	all = kzalloc(struct_size(all, types, count), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	all->list = kcalloc(count, sizeof(*all->list), GFP_KERNEL);
	if (!all->list)
		goto free;
	all->offer = offer;
	for (i = 0; i < count; i++) {
		struct offered_type *offered = &all->types[i];

		type = lab_next_type(offer, type);
		snprintf(offered->id, sizeof(offered->id), "%u", type->id);
		offered->type = type;
		offered->mdev.sysfs_name = offered->id;
		offered->mdev.pretty_name = type->name;
		all->list[i] = &offered->mdev;
	}
	ret = mdev_register_parent(&all->parent, &offer->function->pdev->dev, &driver, all->list, count);
	if (ret)
		goto free_list;
	offer->framework = all;
	return 0;
free_list:
	kfree(all->list);
free:
	kfree(all);
	return ret;
}

static void withdraw_types(struct lab_offer *offer)
{
	struct offered_types *all = offer->framework;

	mdev_unregister_parent(&all->parent);
	kfree(all->list);
	kfree(all);
}

const struct lab_framework lab_mediated = { .offer = offer_types, .withdraw = withdraw_types };

int lab_mediated_init(void)
{
	return mdev_register_driver(&driver);
}

void lab_mediated_exit(void)
{
	mdev_unregister_driver(&driver);
}
