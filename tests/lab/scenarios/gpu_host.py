"""A host whose IOMMU is off becomes one with vGPUs on virtual functions, vGPUs on a board without any, and a GPU that a
guest has whole. Cut off from power, its boot units alone bring all of it back, guests included; release takes it back.
"""

import nvidia_driver

REBOOTS = True
BY_NAME_ONLY = True

WANTED = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: reboot}
virtualization: required
kernel:
  parameters: {intel_iommu: "on"}
driver: {flavor: vgpu-manager, product: nvaie, release: "17.2"}
gpus:
  - name: big
    match: {address: "0000:01:00.0"}
    mode: vgpu
    vgpus: [{name: train, type: A100X-8C, count: 2, params: {enable_uvm: 1}}]
  - name: whole
    match: {address: "0000:02:00.0"}
    mode: passthrough
  - name: small
    match: {model: T4}
    mode: vgpu
    vgpus: [{name: desk, type: T4-4Q}]
vms:
  - {name: trainer, devices: [{vgpu: big/train/0}, {vgpu: small/desk}], state: running}
  - {name: solver, devices: [{gpu: whole}], state: running}
"""
GUEST = """\
<domain type='qemu'>
  <name>NAME</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
</domain>
"""
DEVICES = "/sys/bus/pci/devices"


def run(vm):
    nvidia_driver.install(vm)
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    for name in ("trainer", "solver"):
        vm.write("/root/guest.xml", GUEST.replace("NAME", name))
        vm.run("virsh define guest.xml")
    vm.run("systemctl enable gpuhost-devices gpuhost-apply")
    vm.run("gpuhost apply --yes", status=3, seconds=300)

    vm.reboot()
    is_whole(vm)
    vm.run("sync")
    vm.power_off()
    vm.power_on()
    vm.await_boot()
    is_whole(vm)

    vm.run("virsh destroy trainer && virsh destroy solver")  # without a system in them, they hear of no shutdown
    vm.run("gpuhost release --yes --allow stop-guests", status=3, seconds=300)
    is_given_back(vm)


def is_whole(vm):
    vm.run("for guest in trainer solver; do test \"$(virsh domstate $guest | head -1)\" = running; done")
    vm.run(f"test $(cat {DEVICES}/0000:01:00.0/sriov_numvfs) = 16 && test $(ls /sys/bus/mdev/devices | wc -l) = 3")
    vm.run("grep -lx enable_uvm=1 /sys/bus/mdev/devices/*/nvidia/vgpu_params | wc -l | grep -qx 2")
    is_bound(vm, "0000:02:00.0", "vfio-pci")
    vm.run("test -z \"$(systemctl --failed --no-legend)\"")
    vm.run("gpuhost verify && gpuhost plan --detailed-exitcode")


def is_given_back(vm):
    vm.run(f"test -z \"$(ls /sys/bus/mdev/devices)\" && test $(cat {DEVICES}/0000:01:00.0/sriov_numvfs) = 0")
    is_bound(vm, "0000:02:00.0", "nvidia")
    for guest in ("trainer", "solver"):
        vm.run(f"! virsh dumpxml {guest} | grep -q hostdev")
    vm.run("! test -e /etc/default/grub.d/zz-gpuhost.cfg")


def is_bound(vm, gpu, driver):
    vm.run(f"test $(basename $(readlink {DEVICES}/{gpu}/driver)) = {driver}")
