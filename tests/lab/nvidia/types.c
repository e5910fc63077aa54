// SPDX-License-Identifier: GPL-2.0-only
/* Which vGPU types a GPU has, and for which of them there is room: time-sliced ones of one size on a GPU that is not
 * partitioned, one for each GPU instance of its profile on a GPU that is; one on each virtual function.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/string.h>

#include "vgpus.h"

static bool block_create;
module_param(block_create, bool, 0644);
MODULE_PARM_DESC(block_create, "making a vGPU never returns, past every signal, until this is off again");

static const struct lab_type types[] = {
#include "types.inc"
};

const struct lab_type *lab_next_type(const struct lab_offer *offer, const struct lab_type *last)
{
	const struct lab_type *type = last ? last + 1 : types;

	for (; type < types + ARRAY_SIZE(types); type++)
		if (type->device == offer->function->gpu->pdev->device)
			return type;
	return NULL;
}

static struct lab_instance *free_instance(struct lab_gpu *gpu, const char *profile, unsigned int *count)
{
	struct lab_instance *found = NULL;
	unsigned int i;

	*count = 0;
	for (i = 0; i < gpu->instance_count; i++) {
		struct lab_instance *instance = &gpu->instances[i];

		if (instance->vgpus || strcmp(instance->profile, profile))
			continue;
		found = found ?: instance;
		++*count;
	}
	return found;
}

static unsigned int room_on_gpu(struct lab_gpu *gpu, const struct lab_type *type)
{
	unsigned int count;

	if (gpu->partitioned != !!type->instance)
		return 0;
	if (type->instance) {
		free_instance(gpu, type->instance, &count);
		return count;
	}
	if (gpu->vgpus && gpu->vgpu_size_mb != type->size_mb)
		return 0;
	return gpu->vgpus < type->max ? type->max - gpu->vgpus : 0;
}

static unsigned int room(const struct lab_offer *offer, const struct lab_type *type)
{
	unsigned int count = room_on_gpu(offer->function->gpu, type);

	if (!offer->function->pdev->is_virtfn)
		return count;
	return offer->vgpus ? 0 : min(count, 1U);
}

unsigned int lab_room(const struct lab_offer *offer, const struct lab_type *type)
{
	struct lab_gpu *gpu = offer->function->gpu;
	unsigned int count;

	mutex_lock(&gpu->lock);
	count = room(offer, type);
	mutex_unlock(&gpu->lock);
	return count;
}

int lab_take_place(struct lab_place *place, struct lab_offer *offer, const struct lab_type *type)
{
	struct lab_gpu *gpu = offer->function->gpu;
	unsigned int unused;
	int ret = 0;

	while (block_create)
		schedule_timeout_uninterruptible(HZ / 10);
	place->offer = offer;
	place->type = type;
	place->instance = 0;
	mutex_lock(&gpu->lock);
	if (!room(offer, type)) {
		ret = -ENOSPC;
	} else {
		if (type->instance) {
			struct lab_instance *instance = free_instance(gpu, type->instance, &unused);

			instance->vgpus++;
			place->instance = instance->id;
		}
		offer->vgpus++;
		gpu->vgpus++;
		gpu->vgpu_size_mb = type->size_mb;
	}
	mutex_unlock(&gpu->lock);
	return ret;
}

void lab_leave_place(struct lab_place *place)
{
	struct lab_gpu *gpu = place->offer->function->gpu;
	unsigned int i;

	mutex_lock(&gpu->lock);
	for (i = 0; place->type->instance && i < gpu->instance_count; i++)
		if (gpu->instances[i].id == place->instance && gpu->instances[i].vgpus)
			gpu->instances[i].vgpus--;
	place->offer->vgpus--;
	gpu->vgpus--;
	mutex_unlock(&gpu->lock);
}

ssize_t lab_show_instance(const struct lab_place *place, char *text)
{
	return place->type->instance ? sysfs_emit(text, "%u\n", place->instance) : sysfs_emit(text, "\n");
}
