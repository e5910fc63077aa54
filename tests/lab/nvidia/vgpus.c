// SPDX-License-Identifier: GPL-2.0-only
/* Gives functions their vGPU types, as NVIDIA's vGPU manager does: virtual functions where the board has some, the GPU
 * itself where it has none.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "vgpus.h"

static unsigned int types_delay;
module_param(types_delay, uint, 0644);
MODULE_PARM_DESC(types_delay, "milliseconds after which a function that was bound shows its types");

static bool vendor_specific;
module_param(vendor_specific, bool, 0444);
MODULE_PARM_DESC(vendor_specific, "virtual functions are told their type, in place of having mediated devices");

/* Of a function, from its binding on. */
struct appearance {
	struct delayed_work work;
	struct lab_offer offer;
	bool shown;
};

static const struct lab_framework *framework_of(const struct lab_function *function)
{
	return vendor_specific && function->pdev->is_virtfn ? &lab_vendor_specific : &lab_mediated;
}

static void appear(struct work_struct *work)
{
	struct appearance *appearance = container_of(to_delayed_work(work), struct appearance, work);
	int ret = framework_of(appearance->offer.function)->offer(&appearance->offer);

	appearance->shown = ret == 0;
	if (ret)
		pci_err(appearance->offer.function->pdev, "cannot offer vGPUs: %d\n", ret);
}

static void added(struct lab_function *function)
{
	struct appearance *appearance;

	if (!function->pdev->is_virtfn && pci_sriov_get_totalvfs(function->pdev) > 0)
		return;
	appearance = kzalloc(sizeof(*appearance), GFP_KERNEL);
	if (!appearance)
		return;
	appearance->offer.function = function;
	function->vgpus = &appearance->offer;
	INIT_DELAYED_WORK(&appearance->work, appear);
	if (types_delay)
		schedule_delayed_work(&appearance->work, msecs_to_jiffies(types_delay));
	else
		appear(&appearance->work.work);
}

static void removed(struct lab_function *function)
{
	struct appearance *appearance;

	if (!function->vgpus)
		return;
	appearance = container_of(function->vgpus, struct appearance, offer);
	cancel_delayed_work_sync(&appearance->work);
	if (appearance->shown)
		framework_of(function)->withdraw(&appearance->offer);
	function->vgpus = NULL;
	kfree(appearance);
}

static const struct lab_vgpu_module vgpu_module = { .added = added, .removed = removed };

static int __init lab_init(void)
{
	int ret = lab_mediated_init();

	return ret ?: lab_set_vgpu_module(&vgpu_module);
}

static void __exit lab_exit(void)
{
	lab_clear_vgpu_module();
	lab_mediated_exit();
}

module_init(lab_init);
module_exit(lab_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION(LAB_VERSION);
MODULE_DESCRIPTION("Stands in for NVIDIA's vGPU manager in gpuhost's lab");
