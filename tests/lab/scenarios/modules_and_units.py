"""Kernel modules and units of a real host, without a reboot: loaded, unloaded, started, and given back.

Options and blocks are not here: with them comes update-initramfs, a minute under emulation.
"""

REBOOTS = False

HEAD = "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: lab}\npolicy: {disruption: stop-units}\n"
WANTED = HEAD + """\
kernel:
  modules:
    vfio-pci: {state: loaded}
    mdev: {state: loaded}
    dummy: {state: unloaded}
units:
  libvirtd.service: {enabled: true, state: active}
  libvirt-guests.service: {enabled: false, state: inactive}
"""


def run(vm):
    vm.run("modprobe dummy && systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket")
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    vm.run("gpuhost plan --detailed-exitcode", status=2)
    vm.run("! test -e /sys/module/vfio_pci && test -e /sys/module/dummy && ! systemctl is-active libvirtd.service")
    vm.run("gpuhost apply --yes")
    vm.run("test -e /sys/module/vfio_pci && test -e /sys/module/mdev && ! test -e /sys/module/dummy")
    vm.run("systemctl is-active libvirtd.service && ! systemctl is-enabled libvirt-guests.service")
    settled(vm)
    record_plans_alike(vm)
    drift_is_mended(vm)
    given_back(vm)


def settled(vm):
    """Applied again, nothing is done, and nobody is disturbed."""
    started = vm.run("systemctl show -P ActiveEnterTimestampMonotonic libvirtd.service").strip()
    vm.run("gpuhost plan --detailed-exitcode && gpuhost apply --yes && gpuhost verify")
    vm.run(f"test {started} = $(systemctl show -P ActiveEnterTimestampMonotonic libvirtd.service)")


def record_plans_alike(vm):
    """What is recorded of this host gives the plan that the host itself gives."""
    vm.write("/root/other.yaml", HEAD + "kernel: {modules: {vfio-pci: {state: unloaded}, mdev: {state: blocked}}}\n")
    vm.run("gpuhost observe --record host.yaml > /dev/null")
    vm.run("gpuhost plan -f other.yaml -o json > live.json; "
           "gpuhost plan -f other.yaml -o json --host host.yaml > recorded.json; diff live.json recorded.json")


def drift_is_mended(vm):
    vm.run("modprobe -r mdev && gpuhost verify", status=2)
    vm.run("gpuhost apply --yes && gpuhost verify && test -e /sys/module/mdev")


def given_back(vm):
    vm.run("gpuhost release --yes --allow stop-units")
    vm.run("! test -e /sys/module/mdev && ! grep -rqs gpuhost /etc/modules-load.d && systemctl is-active libvirtd.socket")
