"""A host that is cut off from power comes back by its boot units alone: IOMMU, bindings to vfio-pci, and a running guest
with its GPU. They also finish what an apply has left for after its reboot."""

import machine

REBOOTS = True

WANTED = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: reboot}
virtualization: required
kernel:
  parameters: {intel_iommu: "on"}
  modules: {vfio-pci: {state: loaded}}
gpus:
  - {name: left, match: {address: "0000:01:00.0"}, mode: passthrough}
  - {name: spare, match: {model: T4}, mode: passthrough}
vms:
  - {name: trainer, devices: [{gpu: left}], state: running}
"""
# No more than firmware that finds nothing to boot: what counts is that QEMU holds the GPU.
GUEST = """\
<domain type='qemu'>
  <name>trainer</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
</domain>
"""


def run(vm):
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    vm.write("/root/guest.xml", GUEST)
    vm.run("virsh define guest.xml && systemctl enable gpuhost-devices gpuhost-apply gpuhost-verify.timer")
    vm.run("gpuhost apply --yes", status=3, seconds=300)

    vm.reboot()
    is_whole(vm)
    vm.run("sync")
    cut_off(vm)
    is_whole(vm)


def cut_off(vm: machine.Machine):
    vm.power_off()
    vm.power_on()
    vm.await_boot()


def is_whole(vm):
    vm.run("test \"$(virsh domstate trainer | head -1)\" = running")
    for gpu in ["0000:01:00.0", "0000:03:00.0"]:
        vm.run(f"test $(basename $(readlink /sys/bus/pci/devices/{gpu}/driver)) = vfio-pci")
    vm.run("virsh dumpxml trainer | grep -q \"bus='0x01' slot='0x00' function='0x0'\"")
    vm.run("test -z \"$(systemctl --failed --no-legend)\"")
    vm.run("gpuhost verify && gpuhost plan --detailed-exitcode")
