/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A PCI Express device that Linux takes for an NVIDIA GPU: ids, class, memory, function-level reset and SR-IOV, and
 * nothing behind them. Preloaded into Debian's QEMU, which exports what a device needs, since it is built with modules.
 * It is compiled against the headers of the same QEMU and is under QEMU's licence.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "hw/pci/pci.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_sriov.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "qom/object.h"
#include <dlfcn.h>

#define TYPE_LAB_GPU "lab-gpu"
#define TYPE_LAB_GPU_FUNCTION "lab-gpu-function"

enum {
    NVIDIA = 0x10de,
    BOOT_0 = 0x170000a1,  /* the register at 0, in which drivers read architecture and revision: GA100, A1 */
    REGISTERS_SIZE = 1 * MiB,
    FUNCTION_REGISTERS_SIZE = 64 * KiB,
    FUNCTION_MEMORY_SIZE = 1 * MiB,
    EXPRESS_CAPABILITY = 0x80,
    ARI_CAPABILITY = 0x100,
    SRIOV_CAPABILITY = 0x160,
    FIRST_FUNCTION_OFFSET = 4,  /* 0000:41:00.4 is the first virtual function of an A100 */
};

typedef struct LabGpu {
    PCIDevice pci;
    MemoryRegion registers;
    MemoryRegion memory;
    uint16_t vendor, device, subsystem_vendor, subsystem_device, function_device, class;
    uint8_t functions;
    uint32_t memory_mb;
} LabGpu;
OBJECT_DECLARE_SIMPLE_TYPE(LabGpu, LAB_GPU)

typedef struct LabGpuFunction {
    PCIDevice pci;
    MemoryRegion registers;
    MemoryRegion memory;
} LabGpuFunction;
DECLARE_INSTANCE_CHECKER(LabGpuFunction, LAB_GPU_FUNCTION, TYPE_LAB_GPU_FUNCTION)

static uint64_t read_register(void *gpu, hwaddr address, unsigned size)
{
    return address == 0 ? BOOT_0 : 0;
}

static void write_register(void *gpu, hwaddr address, uint64_t value, unsigned size)
{
}

static const MemoryRegionOps register_operations = {
    .read = read_register,
    .write = write_register,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .impl = {.min_access_size = 4, .max_access_size = 4},
};

static const int memory_bar = PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;

static void add_express_capabilities(PCIDevice *pci)
{
    pcie_endpoint_cap_init(pci, EXPRESS_CAPABILITY);
    pcie_cap_flr_init(pci);
    pcie_ari_init(pci, ARI_CAPABILITY, 1);
}

static void add_functions(PCIDevice *pci, const LabGpu *gpu)
{
    pcie_sriov_pf_init(pci, SRIOV_CAPABILITY, TYPE_LAB_GPU_FUNCTION, gpu->function_device, gpu->functions, gpu->functions,
                       FIRST_FUNCTION_OFFSET, 1);
    pcie_sriov_pf_init_vf_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, FUNCTION_REGISTERS_SIZE);
    pcie_sriov_pf_init_vf_bar(pci, 1, memory_bar, FUNCTION_MEMORY_SIZE);
}

static void realize_gpu(PCIDevice *pci, Error **error)
{
    LabGpu *gpu = LAB_GPU(pci);
    pci_set_word(pci->config + PCI_VENDOR_ID, gpu->vendor);
    pci_set_word(pci->config + PCI_DEVICE_ID, gpu->device);
    pci_set_word(pci->config + PCI_SUBSYSTEM_VENDOR_ID, gpu->subsystem_vendor);
    pci_set_word(pci->config + PCI_SUBSYSTEM_ID, gpu->subsystem_device);
    pci_set_word(pci->config + PCI_CLASS_DEVICE, gpu->class);
    pci_config_set_interrupt_pin(pci->config, 1);

    memory_region_init_io(&gpu->registers, OBJECT(gpu), &register_operations, gpu, "lab-gpu-registers", REGISTERS_SIZE);
    pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &gpu->registers);
    memory_region_init_ram(&gpu->memory, OBJECT(gpu), "lab-gpu-memory", gpu->memory_mb * MiB, error);
    pci_register_bar(pci, 1, memory_bar, &gpu->memory);

    add_express_capabilities(pci);
    if (gpu->functions) {
        add_functions(pci, gpu);
    }
}

static void exit_gpu(PCIDevice *pci)
{
    if (LAB_GPU(pci)->functions) {
        pcie_sriov_pf_exit(pci);
    }
}

static void write_config(PCIDevice *pci, uint32_t address, uint32_t value, int size)
{
    pci_default_write_config(pci, address, value, size);  /* SR-IOV's too */
    pcie_cap_flr_write_config(pci, address, value, size);
}

static void reset_gpu(DeviceState *device)
{
    LabGpu *gpu = LAB_GPU(device);
    if (gpu->functions) {
        pcie_sriov_pf_disable_vfs(&gpu->pci);
    }
}

static Property gpu_properties[] = {
    DEFINE_PROP_UINT16("vendor-id", LabGpu, vendor, NVIDIA),
    DEFINE_PROP_UINT16("device-id", LabGpu, device, 0x20b0),
    DEFINE_PROP_UINT16("sub-vendor-id", LabGpu, subsystem_vendor, NVIDIA),
    DEFINE_PROP_UINT16("sub-device-id", LabGpu, subsystem_device, 0),
    DEFINE_PROP_UINT16("class", LabGpu, class, PCI_CLASS_DISPLAY_3D),
    DEFINE_PROP_UINT8("functions", LabGpu, functions, 0),
    DEFINE_PROP_UINT16("function-device-id", LabGpu, function_device, 0x20b0),
    DEFINE_PROP_UINT32("memory-mb", LabGpu, memory_mb, 16),
    DEFINE_PROP_END_OF_LIST(),
};

/* Virtual functions are not saved: a snapshot is taken with none enabled. */
static const VMStateDescription gpu_state = {
    .name = TYPE_LAB_GPU,
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]){VMSTATE_PCI_DEVICE(pci, LabGpu), VMSTATE_END_OF_LIST()},
};

static void set_identity(PCIDeviceClass *pci)
{
    pci->vendor_id = NVIDIA;
    pci->device_id = 0x20b0;
    pci->class_id = PCI_CLASS_DISPLAY_3D;
    pci->revision = 0xa1;
    pci->config_write = write_config;
}

static void describe_gpu(ObjectClass *class, void *data)
{
    DeviceClass *device = DEVICE_CLASS(class);
    set_identity(PCI_DEVICE_CLASS(class));
    PCI_DEVICE_CLASS(class)->realize = realize_gpu;
    PCI_DEVICE_CLASS(class)->exit = exit_gpu;
    device->reset = reset_gpu;
    device->vmsd = &gpu_state;
    device_class_set_props(device, gpu_properties);
}

static void realize_function(PCIDevice *pci, Error **error)
{
    LabGpuFunction *function = LAB_GPU_FUNCTION(pci);
    memory_region_init_io(&function->registers, OBJECT(function), &register_operations, function,
                          "lab-gpu-function-registers", FUNCTION_REGISTERS_SIZE);
    pcie_sriov_vf_register_bar(pci, 0, &function->registers);
    memory_region_init_io(&function->memory, OBJECT(function), &register_operations, function,
                          "lab-gpu-function-memory", FUNCTION_MEMORY_SIZE);
    pcie_sriov_vf_register_bar(pci, 1, &function->memory);
    add_express_capabilities(pci);
}

static void describe_function(ObjectClass *class, void *data)
{
    set_identity(PCI_DEVICE_CLASS(class));
    PCI_DEVICE_CLASS(class)->realize = realize_function;
    DEVICE_CLASS(class)->user_creatable = false;
}

static InterfaceInfo express_device[] = {{INTERFACE_PCIE_DEVICE}, {}};

static const TypeInfo types[] = {
    {
        .name = TYPE_LAB_GPU,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(LabGpu),
        .class_init = describe_gpu,
        .interfaces = express_device,
    },
    {
        .name = TYPE_LAB_GPU_FUNCTION,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(LabGpuFunction),
        .class_init = describe_function,
        .interfaces = express_device,
    },
};

static void register_types(void)
{
    type_register_static_array(types, ARRAY_SIZE(types));
}

static void __attribute__((constructor)) load(void)
{
    unsetenv("LD_PRELOAD");  /* or whatever QEMU starts would load this too, and fail */
    void (*at_start)(void (*)(void), module_init_type) = dlsym(RTLD_DEFAULT, "register_module_init");
    if (at_start) {
        at_start(register_types, MODULE_INIT_QOM);
    }
}
