"""A host whose IOMMU is off gets it on through GRUB, with every group identity-mapped; and off again by release."""

REBOOTS = True

WANTED = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: reboot}
virtualization: required
kernel:
  parameters:
    intel_iommu: "on"
    iommu: pt
    hugepages: "64"
    quiet: {state: absent}
"""


def run(vm):
    vm.run("test -z \"$(ls /sys/class/iommu)\" && grep -q intel_iommu=off /proc/cmdline")
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    vm.run("gpuhost verify", status=2)
    vm.run("gpuhost apply --yes", status=3, seconds=300)
    vm.run("gpuhost status --detailed-exitcode", status=3)
    vm.run("test -e /run/reboot-required && grep -q intel_iommu=on /boot/grub/grub.cfg")
    is_off(vm)
    vm.run("gpuhost apply --yes", status=3, seconds=300)

    vm.reboot()
    is_on(vm)
    vm.run("gpuhost apply --yes && gpuhost verify && gpuhost plan --detailed-exitcode", seconds=300)
    vm.run("gpuhost status --detailed-exitcode")

    vm.run("gpuhost release --yes", status=3, seconds=300)
    vm.run("! test -e /etc/default/grub.d/zz-gpuhost.cfg")
    vm.reboot()
    is_off(vm)


def is_off(vm):
    vm.run("grep -q intel_iommu=off /proc/cmdline && grep -qw quiet /proc/cmdline && test -z \"$(ls /sys/class/iommu)\"")


def is_on(vm):
    vm.run("grep -q intel_iommu=on /proc/cmdline && ! grep -qw quiet /proc/cmdline && test -e /sys/class/iommu/dmar0")
    vm.run("test \"$(sort -u /sys/kernel/iommu_groups/*/type)\" = identity")
    vm.run("test $(cat /proc/sys/vm/nr_hugepages) = 64")
