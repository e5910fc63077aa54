"""Virtual functions of the vendor-specific VFIO framework: what the kernel lets be done with them, by hand. A type is given to a
function that has none, taken from one that nobody has; the others then offer types of the same size only."""

import nvidia_driver

REBOOTS = False

FUNCTION = "/sys/bus/pci/devices/0000:01:00.4/nvidia"
NEXT = "/sys/bus/pci/devices/0000:01:00.5/nvidia"


def run(vm):
    vm.write("/etc/modprobe.d/vendor.conf", "options nvidia-vgpu-vfio vendor_specific=1\n")
    nvidia_driver.install(vm)
    vm.run("/usr/lib/nvidia/sriov-manage -e 0000:01:00.0")
    vm.run(f"grep -qx 0 {FUNCTION}/current_vgpu_type && grep -qx '459   : GRID A100X-8C' {FUNCTION}/creatable_vgpu_types")
    vm.run(f"echo 459 > {FUNCTION}/current_vgpu_type && grep -qx 459 {FUNCTION}/current_vgpu_type")
    vm.run(f"! echo 457 > {FUNCTION}/current_vgpu_type && ! grep -q 'A100X-4C' {NEXT}/creatable_vgpu_types")
    vm.run(f"! echo 457 > {NEXT}/current_vgpu_type && echo 459 > {NEXT}/current_vgpu_type")
    vm.run(f"echo enable_uvm=1 > {NEXT}/vgpu_params && ! echo nonsense=1 > {NEXT}/vgpu_params")
    vm.run("gpuhost observe -o json | grep -q vendor-specific")
    vm.run(f"echo 0 > {FUNCTION}/current_vgpu_type && echo 0 > {NEXT}/current_vgpu_type")
    vm.run(f"grep -q 'A100X-4C' {NEXT}/creatable_vgpu_types")
