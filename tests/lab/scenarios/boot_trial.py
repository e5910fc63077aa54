"""A command line that does not boot is booted once: GRUB then takes what ran before. One that does boot stays, once the
host is as its document says.
"""

REBOOTS = True

# The initramfs does not fit into so little memory; without it the kernel finds no root file system, and panics.
FAILING = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: reboot}
kernel:
  parameters: {mem: 64M, panic: "1"}
"""
WORKING = FAILING.replace('mem: 64M, panic: "1"', 'hugepages: "8"')


def run(vm):
    vm.write("/etc/gpuhost/host.yaml", FAILING)
    vm.run("gpuhost apply --yes", status=3, seconds=300)
    vm.run("grub-script-check /boot/grub/custom.cfg && grub-editenv list | grep -q gpuhost_try=")
    vm.run("grep -q mem=64M /boot/grub/grub.cfg")

    vm.reboot()
    vm.run("! grep -q mem= /proc/cmdline && grub-editenv list | grep -qx gpuhost_try=")
    refused = vm.run("gpuhost apply --yes", status=7)
    assert "did not come up with the new boot entries" in refused, refused
    vm.run("gpuhost verify", status=2)

    vm.write("/etc/gpuhost/host.yaml", WORKING)
    vm.run("gpuhost apply --yes", status=3, seconds=300)
    vm.reboot()
    vm.run("grep -q hugepages=8 /proc/cmdline && ! grep -q mem= /proc/cmdline")
    vm.run("gpuhost verify", status=2)
    vm.run("gpuhost apply --yes && gpuhost verify && gpuhost status --detailed-exitcode", seconds=300)
    vm.run("! test -e /boot/grub/custom.cfg && ! grub-editenv list | grep -q gpuhost")
    vm.reboot()
    vm.run("grep -q hugepages=8 /proc/cmdline && gpuhost plan --detailed-exitcode")
