// SPDX-License-Identifier: GPL-2.0-only
/* /dev/nvidiaN, /dev/nvidiactl, and /proc/driver/nvidia. A further node keeps what the management library knows, so that
 * it is lost with the module and with a boot.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "nvidia.h"

enum { MAJOR_NVIDIA = 195, MINOR_CONTROL = 255, MINORS = 256, MOST_STATE = 1 << 18 };

static struct class *class;
static struct cdev cdev;
static struct proc_dir_entry *proc_root, *proc_gpus;

static int open_node(struct inode *inode, struct file *file)
{
	struct lab_gpu *gpu;

	if (iminor(inode) == MINOR_CONTROL)
		return 0;
	gpu = lab_hold_minor(iminor(inode));
	if (!gpu)
		return -ENXIO;
	if (IS_ERR(gpu))
		return PTR_ERR(gpu);
	file->private_data = gpu;
	return 0;
}

static int close_node(struct inode *inode, struct file *file)
{
	if (file->private_data)
		lab_release(file->private_data);
	return 0;
}

static const struct file_operations node_operations = {
	.owner = THIS_MODULE,
	.open = open_node,
	.release = close_node,
};

/* The library's text, written as a whole. */
static DEFINE_MUTEX(state_lock);
static char *state;
static size_t state_length;

static ssize_t read_state(struct file *file, char __user *buffer, size_t count, loff_t *at)
{
	ssize_t ret;

	mutex_lock(&state_lock);
	ret = simple_read_from_buffer(buffer, count, at, state, state_length);
	mutex_unlock(&state_lock);
	return ret;
}

static ssize_t write_state(struct file *file, const char __user *buffer, size_t count, loff_t *at)
{
	if (*at != 0)
		return -EINVAL;
	if (count > MOST_STATE)
		return -EFBIG;
	mutex_lock(&state_lock);
	if (copy_from_user(state, buffer, count)) {
		mutex_unlock(&state_lock);
		return -EFAULT;
	}
	state_length = count;
	mutex_unlock(&state_lock);
	return count;
}

static const struct file_operations state_operations = {
	.owner = THIS_MODULE,
	.read = read_state,
	.write = write_state,
	.llseek = default_llseek,
};

static struct miscdevice state_node = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gpuhost-lab-nvml",
	.mode = 0666,
	.fops = &state_operations,
};

static int show_version(struct seq_file *text, void *unused)
{
	seq_puts(text, "NVRM version: NVIDIA UNIX x86_64 Kernel Module  " LAB_VERSION "  of gpuhost's lab\n");
	return 0;
}

static int show_information(struct seq_file *text, void *unused)
{
	struct lab_gpu *gpu = text->private;

	seq_printf(text, "Bus Type: \t PCIe\nBus Location: \t %s\nDevice Minor: \t %u\nGPU Excluded:\t No\n",
		   pci_name(gpu->pdev), gpu->minor);
	return 0;
}

static int show_unbind_lock(struct seq_file *text, void *unused)
{
	struct lab_gpu *gpu = text->private;

	seq_printf(text, "%d\n", gpu->unbind_locked);
	return 0;
}

static int open_unbind_lock(struct inode *inode, struct file *file)
{
	return single_open(file, show_unbind_lock, pde_data(inode));
}

/* 1: from now on nobody opens the GPU. It stays 0 while somebody has it. */
static ssize_t write_unbind_lock(struct file *file, const char __user *buffer, size_t count, loff_t *at)
{
	struct lab_gpu *gpu = pde_data(file_inode(file));
	bool locked;
	int ret = kstrtobool_from_user(buffer, count, &locked);

	if (ret)
		return ret;
	mutex_lock(&gpu->lock);
	gpu->unbind_locked = locked && gpu->opens == 0;
	mutex_unlock(&gpu->lock);
	return count;
}

static const struct proc_ops unbind_lock_operations = {
	.proc_open = open_unbind_lock,
	.proc_read = seq_read,
	.proc_write = write_unbind_lock,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

int lab_add_node(struct lab_gpu *gpu)
{
	gpu->node = device_create(class, &gpu->pdev->dev, MKDEV(MAJOR_NVIDIA, gpu->minor), NULL, "nvidia%u", gpu->minor);
	if (IS_ERR(gpu->node))
		return PTR_ERR(gpu->node);
	gpu->proc = proc_mkdir(pci_name(gpu->pdev), proc_gpus);
	proc_create_single_data("information", 0444, gpu->proc, show_information, gpu);
	proc_create_data("unbindLock", 0644, gpu->proc, &unbind_lock_operations, gpu);
	return 0;
}

void lab_remove_node(struct lab_gpu *gpu)
{
	proc_remove(gpu->proc);
	device_destroy(class, MKDEV(MAJOR_NVIDIA, gpu->minor));
}

static char *for_everybody(struct device *device, umode_t *mode)
{
	if (mode)
		*mode = 0666;
	return NULL;
}

static int add_class(void)
{
	struct device *control;

	class = class_create(THIS_MODULE, "gpuhost-lab-nvidia");
	if (IS_ERR(class))
		return PTR_ERR(class);
	class->devnode = for_everybody;
	control = device_create(class, NULL, MKDEV(MAJOR_NVIDIA, MINOR_CONTROL), NULL, "nvidiactl");
	if (!IS_ERR(control))
		return 0;
	class_destroy(class);
	return PTR_ERR(control);
}

int lab_nodes_init(void)
{
	int ret = register_chrdev_region(MKDEV(MAJOR_NVIDIA, 0), MINORS, "nvidia");

	if (ret)
		return ret;
	state = kvmalloc(MOST_STATE, GFP_KERNEL);
	if (!state) {
		ret = -ENOMEM;
		goto unregister;
	}
	cdev_init(&cdev, &node_operations);
	cdev.owner = THIS_MODULE;
	ret = cdev_add(&cdev, MKDEV(MAJOR_NVIDIA, 0), MINORS);
	if (ret)
		goto free;
	ret = add_class();
	if (ret)
		goto remove_cdev;
	ret = misc_register(&state_node);
	if (ret)
		goto remove_class;
	proc_root = proc_mkdir("driver/nvidia", NULL);
	proc_gpus = proc_mkdir("gpus", proc_root);
	proc_create_single("version", 0444, proc_root, show_version);
	return 0;
remove_class:
	device_destroy(class, MKDEV(MAJOR_NVIDIA, MINOR_CONTROL));
	class_destroy(class);
remove_cdev:
	cdev_del(&cdev);
free:
	kvfree(state);
unregister:
	unregister_chrdev_region(MKDEV(MAJOR_NVIDIA, 0), MINORS);
	return ret;
}

void lab_nodes_exit(void)
{
	proc_remove(proc_root);
	misc_deregister(&state_node);
	device_destroy(class, MKDEV(MAJOR_NVIDIA, MINOR_CONTROL));
	class_destroy(class);
	cdev_del(&cdev);
	kvfree(state);
	unregister_chrdev_region(MKDEV(MAJOR_NVIDIA, 0), MINORS);
}
