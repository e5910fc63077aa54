// SPDX-License-Identifier: GPL-2.0-only
/* A driver named nvidia for GPUs that have nothing behind them: it binds them and their virtual functions, and lets itself
 * be held as NVIDIA's does. vGPUs are the other module's.
 */
#include <linux/module.h>

#include "nvidia.h"

#define VENDOR_NVIDIA 0x10de

static int fail_function = -1;
module_param(fail_function, int, 0644);
MODULE_PARM_DESC(fail_function, "number of the virtual function that refuses to be bound, on each GPU");

static LIST_HEAD(gpus);
static LIST_HEAD(functions);
static DEFINE_MUTEX(lists);		/* over both; nothing waits under it */
static DEFINE_MUTEX(telling);		/* over vgpu_module, and what it is told */
static const struct lab_vgpu_module *vgpu_module;
static atomic_t times_bound = ATOMIC_INIT(0);

static struct lab_gpu *gpu_of(struct pci_dev *physical)
{
	struct lab_gpu *gpu, *found = NULL;

	mutex_lock(&lists);
	list_for_each_entry(gpu, &gpus, entry)
		if (gpu->pdev == physical)
			found = gpu;
	mutex_unlock(&lists);
	return found;
}

static bool has_minor(unsigned int minor)
{
	struct lab_gpu *gpu;

	list_for_each_entry(gpu, &gpus, entry)
		if (gpu->minor == minor)
			return true;
	return false;
}

int lab_hold(struct lab_gpu *gpu)
{
	int ret = 0;

	mutex_lock(&gpu->lock);
	if (gpu->unbind_locked)
		ret = -EBUSY;
	else
		gpu->opens++;
	mutex_unlock(&gpu->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(lab_hold);

void lab_release(struct lab_gpu *gpu)
{
	mutex_lock(&gpu->lock);
	gpu->opens--;
	wake_up(&gpu->closed);
	mutex_unlock(&gpu->lock);
}
EXPORT_SYMBOL_GPL(lab_release);

struct lab_gpu *lab_hold_minor(unsigned int minor)
{
	struct lab_gpu *gpu, *found = NULL;

	mutex_lock(&lists);
	list_for_each_entry(gpu, &gpus, entry)
		if (gpu->minor == minor)
			found = gpu;
	if (found) {
		int ret = lab_hold(found);

		if (ret)
			found = ERR_PTR(ret);
	}
	mutex_unlock(&lists);
	return found;
}

int lab_set_vgpu_module(const struct lab_vgpu_module *module)
{
	struct lab_function *function;

	mutex_lock(&telling);
	vgpu_module = module;
	list_for_each_entry(function, &functions, entry)
		module->added(function);
	mutex_unlock(&telling);
	return 0;
}
EXPORT_SYMBOL_GPL(lab_set_vgpu_module);

void lab_clear_vgpu_module(void)
{
	struct lab_function *function;

	mutex_lock(&telling);
	list_for_each_entry(function, &functions, entry)
		vgpu_module->removed(function);
	vgpu_module = NULL;
	mutex_unlock(&telling);
}
EXPORT_SYMBOL_GPL(lab_clear_vgpu_module);

static struct lab_gpu *add_gpu(struct pci_dev *pdev)
{
	struct lab_gpu *gpu = kzalloc(sizeof(*gpu), GFP_KERNEL);
	int ret;

	if (!gpu)
		return ERR_PTR(-ENOMEM);
	gpu->pdev = pdev;
	gpu->bound = atomic_inc_return(&times_bound);
	mutex_init(&gpu->lock);
	init_waitqueue_head(&gpu->closed);
	mutex_lock(&lists);
	while (has_minor(gpu->minor))
		gpu->minor++;
	list_add_tail(&gpu->entry, &gpus);
	mutex_unlock(&lists);
	ret = lab_add_node(gpu);
	if (!ret)
		return gpu;
	mutex_lock(&lists);
	list_del(&gpu->entry);
	mutex_unlock(&lists);
	kfree(gpu);
	return ERR_PTR(ret);
}

/* As NVIDIA's driver, it waits for those who have the GPU open, for as long as that takes. */
static void remove_gpu(struct lab_gpu *gpu)
{
	mutex_lock(&gpu->lock);
	gpu->unbind_locked = true;
	mutex_unlock(&gpu->lock);
	if (gpu->opens)
		pci_warn(gpu->pdev, "NVRM: Attempting to remove device with non-zero usage count!\n");
	wait_event(gpu->closed, gpu->opens == 0);
	mutex_lock(&lists);
	list_del(&gpu->entry);
	mutex_unlock(&lists);
	lab_remove_node(gpu);
	kfree(gpu);
}

static bool fails_to_bind(struct pci_dev *pdev)
{
	struct pci_dev *physical = pci_physfn(pdev);

	return fail_function >= 0 && pdev->is_virtfn &&
	       pci_iov_vf_id(pdev) == fail_function && physical != pdev;
}

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct lab_function *function;
	struct lab_gpu *gpu;
	int ret;

	if (fails_to_bind(pdev)) {
		pci_err(pdev, "NVRM: The NVIDIA probe routine failed\n");
		return -EIO;
	}
	gpu = pdev->is_virtfn ? gpu_of(pci_physfn(pdev)) : NULL;
	if (pdev->is_virtfn && !gpu)
		return -ENODEV;
	function = kzalloc(sizeof(*function), GFP_KERNEL);
	if (!function)
		return -ENOMEM;
	ret = pci_enable_device(pdev);
	if (ret)
		goto free;
	function->pdev = pdev;
	function->gpu = gpu ?: add_gpu(pdev);
	if (IS_ERR(function->gpu)) {
		ret = PTR_ERR(function->gpu);
		goto disable;
	}
	pci_set_drvdata(pdev, function);
	mutex_lock(&telling);
	list_add_tail(&function->entry, &functions);
	if (vgpu_module)
		vgpu_module->added(function);
	mutex_unlock(&telling);
	return 0;
disable:
	pci_disable_device(pdev);
free:
	kfree(function);
	return ret;
}

static struct lab_function *function_of(struct pci_dev *pdev)
{
	struct lab_function *function, *found = NULL;

	mutex_lock(&telling);
	list_for_each_entry(function, &functions, entry)
		if (function->pdev == pdev)
			found = function;
	mutex_unlock(&telling);
	return found;
}

/* Virtual functions go with their GPU. */
static void remove(struct pci_dev *pdev)
{
	struct lab_function *function = function_of(pdev);

	if (!pdev->is_virtfn)
		pci_disable_sriov(pdev);
	mutex_lock(&telling);
	list_del(&function->entry);
	if (vgpu_module)
		vgpu_module->removed(function);
	mutex_unlock(&telling);
	if (!pdev->is_virtfn)
		remove_gpu(function->gpu);
	pci_disable_device(pdev);
	kfree(function);
}

static void reset_done(struct pci_dev *pdev)
{
	struct lab_function *function = function_of(pdev);

	if (!function || pdev->is_virtfn)
		return;
	mutex_lock(&function->gpu->lock);
	function->gpu->resets++;
	function->gpu->instance_count = 0;
	mutex_unlock(&function->gpu->lock);
}

/* NVIDIA's driver rejects it: functions are made by sriov-manage, with the GPU bound to pci-pf-stub. */
static int configure_functions(struct pci_dev *pdev, int count)
{
	return -EPERM;
}

static const struct pci_error_handlers error_handlers = { .reset_done = reset_done };

static const struct pci_device_id ids[] = {
	{ PCI_DEVICE(VENDOR_NVIDIA, PCI_ANY_ID), .class = PCI_BASE_CLASS_DISPLAY << 16, .class_mask = 0xff0000 },
	{ }
};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver driver = {
	.name = "nvidia",
	.id_table = ids,
	.probe = probe,
	.remove = remove,
	.sriov_configure = configure_functions,
	.err_handler = &error_handlers,
	.dev_groups = lab_groups,
	.driver_managed_dma = true,	/* a function that has a type is VFIO's */
};

static int __init lab_init(void)
{
	int ret = lab_nodes_init();

	if (ret)
		return ret;
	ret = pci_register_driver(&driver);
	if (ret)
		lab_nodes_exit();
	return ret;
}

static void __exit lab_exit(void)
{
	pci_unregister_driver(&driver);
	lab_nodes_exit();
}

module_init(lab_init);
module_exit(lab_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION(LAB_VERSION);
MODULE_DESCRIPTION("Stands in for NVIDIA's driver in gpuhost's lab");
