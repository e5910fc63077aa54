// SPDX-License-Identifier: GPL-2.0-only
/* In the folder lab/ of a GPU: what the management library has to know of it, and tells of its partition. */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/string.h>

#include "nvidia.h"

static bool refuse_reset;
module_param(refuse_reset, bool, 0644);
MODULE_PARM_DESC(refuse_reset, "every reset of a GPU fails");

static struct lab_gpu *gpu_of(struct device *device)
{
	struct lab_function *function = dev_get_drvdata(device);

	return function->gpu;
}

/* Numbers that change when the GPU has lost its instances, and when it was reset as well. */
static ssize_t bound_show(struct device *device, struct device_attribute *attribute, char *text)
{
	return sysfs_emit(text, "%u\n", gpu_of(device)->bound);
}
static DEVICE_ATTR_RO(bound);

static ssize_t resets_show(struct device *device, struct device_attribute *attribute, char *text)
{
	return sysfs_emit(text, "%u\n", gpu_of(device)->resets);
}
static DEVICE_ATTR_RO(resets);

static ssize_t opens_show(struct device *device, struct device_attribute *attribute, char *text)
{
	return sysfs_emit(text, "%u\n", gpu_of(device)->opens);
}
static DEVICE_ATTR_RO(opens);

static ssize_t vgpus_show(struct device *device, struct device_attribute *attribute, char *text)
{
	return sysfs_emit(text, "%u\n", gpu_of(device)->vgpus);
}
static DEVICE_ATTR_RO(vgpus);

static ssize_t node_show(struct device *device, struct device_attribute *attribute, char *text)
{
	return sysfs_emit(text, "/dev/nvidia%u\n", gpu_of(device)->minor);
}
static DEVICE_ATTR_RO(node);

static ssize_t reset_gpu_store(struct device *device, struct device_attribute *attribute, const char *text, size_t count)
{
	struct lab_gpu *gpu = gpu_of(device);
	int ret;

	if (refuse_reset)
		return -EIO;
	mutex_lock(&gpu->lock);
	ret = gpu->opens || gpu->vgpus || pci_num_vf(gpu->pdev) ? -EBUSY : 0;
	mutex_unlock(&gpu->lock);
	if (!ret)
		ret = pci_reset_function(gpu->pdev);
	return ret ?: count;
}
static DEVICE_ATTR_WO(reset_gpu);

/* "mode 1", then "ID PROFILE VGPUS" for each GPU instance; written without the last. */
static ssize_t partition_show(struct device *device, struct device_attribute *attribute, char *text)
{
	struct lab_gpu *gpu = gpu_of(device);
	int length;
	unsigned int i;

	mutex_lock(&gpu->lock);
	length = sysfs_emit(text, "mode %d\n", gpu->partitioned);
	for (i = 0; i < gpu->instance_count; i++)
		length += sysfs_emit_at(text, length, "%u %s %u\n", gpu->instances[i].id, gpu->instances[i].profile,
					gpu->instances[i].vgpus);
	mutex_unlock(&gpu->lock);
	return length;
}

static const struct lab_instance *instance_with(const struct lab_instance *all, unsigned int count, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (all[i].id == id)
			return &all[i];
	return NULL;
}

/* An instance with a vGPU stays, and so does the mode while there is any vGPU. */
static int set_partition(struct lab_gpu *gpu, bool mode, struct lab_instance *all, unsigned int count)
{
	unsigned int i;

	if (mode != gpu->partitioned && gpu->vgpus)
		return -EBUSY;
	for (i = 0; i < gpu->instance_count; i++)
		if (gpu->instances[i].vgpus && !instance_with(all, count, gpu->instances[i].id))
			return -EBUSY;
	for (i = 0; i < count; i++) {
		const struct lab_instance *known = instance_with(gpu->instances, gpu->instance_count, all[i].id);

		all[i].vgpus = known ? known->vgpus : 0;
	}
	memcpy(gpu->instances, all, sizeof(*all) * count);
	gpu->instance_count = count;
	gpu->partitioned = mode;
	return 0;
}

static ssize_t partition_store(struct device *device, struct device_attribute *attribute, const char *text, size_t count)
{
	struct lab_instance all[LAB_MOST_INSTANCES] = {};
	struct lab_gpu *gpu = gpu_of(device);
	unsigned int mode, instances = 0;
	int ret, used;

	if (sscanf(text, "mode %u\n%n", &mode, &used) != 1)
		return -EINVAL;
	for (text += used; *text; text += used) {
		struct lab_instance *one = &all[instances];

		if (instances == LAB_MOST_INSTANCES || sscanf(text, "%u %15s\n%n", &one->id, one->profile, &used) != 2)
			return -EINVAL;
		instances++;
	}
	mutex_lock(&gpu->lock);
	ret = set_partition(gpu, mode, all, instances);
	mutex_unlock(&gpu->lock);
	return ret ?: count;
}
static DEVICE_ATTR_RW(partition);

static struct attribute *attributes[] = {
	&dev_attr_bound.attr, &dev_attr_resets.attr, &dev_attr_opens.attr, &dev_attr_vgpus.attr, &dev_attr_node.attr,
	&dev_attr_reset_gpu.attr, &dev_attr_partition.attr, NULL,
};

static umode_t of_gpus_only(struct kobject *object, struct attribute *attribute, int index)
{
	return to_pci_dev(kobj_to_dev(object))->is_virtfn ? 0 : attribute->mode;
}

static const struct attribute_group group = { .name = "lab", .attrs = attributes, .is_visible = of_gpus_only };
const struct attribute_group *lab_groups[] = { &group, NULL };
