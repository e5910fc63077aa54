"""What is in the way on a real host is named, and nothing is begun: a process, a guest, a guest of Nova, a libvirt that is down,
a full disk. What comes late is waited for."""

import nvidia_driver

REBOOTS = False

HEAD = "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: lab}\npolicy: {disruption: stop-units}\n"
FUNCTIONS = HEAD + 'gpus: [{match: {address: "0000:01:00.0"}, mode: vgpu, functions: enabled}]\n'
NONE_OF_T4 = HEAD + "gpus: [{match: {model: T4}, mode: vgpu, vgpus: []}]\n"
GUEST_STATE = HEAD + "vms: [{name: instance-1, state: running}]\n"
GUEST_STOPPED = HEAD.replace("stop-units", "stop-guests") + "vms: [{name: instance-1, state: stopped}]\n"
UUID = "5ae11fa2-6f10-4c07-8d5e-b2b0a3f6f0a1"
GUEST = f"""\
<domain type='qemu'>
  <name>instance-1</name>
  <metadata>NOVA</metadata>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='{UUID}'/></source></hostdev>
  </devices>
</domain>
"""
NOVA = ('<nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1"><nova:name>web</nova:name>'
        "</nova:instance>")
A100 = "/sys/bus/pci/devices/0000:01:00.0"
T4 = "/sys/bus/pci/devices/0000:03:00.0"


def run(vm):
    nvidia_driver.install(vm)
    vm.write("/root/functions.yaml", FUNCTIONS)
    vm.write("/root/none.yaml", NONE_OF_T4)
    vm.write("/root/guest.yaml", GUEST_STATE)
    vm.write("/root/stopped.yaml", GUEST_STOPPED)
    process(vm)
    guest(vm)
    libvirt_down(vm)
    full_disk(vm)
    types_late(vm)


def refused(vm, document, *names, status=7):
    said = vm.run(f"gpuhost apply -f {document} --yes", status=status)
    missing = [name for name in names if name not in said]
    assert not missing, f"not named: {missing}\n{said}"
    vm.run("! test -e /var/lib/gpuhost/journal.jsonl")


def process(vm):
    pid = nvidia_driver.hold(vm, "/dev/nvidia0")
    refused(vm, "functions.yaml", f"sleep (pid {pid})")
    vm.run(f"test $(cat {A100}/sriov_numvfs) = 0 && kill {pid}")


def guest(vm):
    """A guest of this host, then one of Nova's with the same device, both made by other hands. Nova's is never stopped."""
    vm.run(f"echo {UUID} > {T4}/mdev_supported_types/nvidia-232/create")
    for metadata in ("", NOVA):
        vm.write("/root/guest.xml", GUEST.replace("NOVA", metadata))
        vm.run("virsh define guest.xml && virsh start instance-1")
        pid = vm.run("pidof qemu-system-x86_64").strip()
        refused(vm, "none.yaml", f"VM instance-1 (pid {pid})")
        if metadata:
            refused(vm, "stopped.yaml", "instance-1", "Nova")
        vm.run("test \"$(virsh domstate instance-1 | head -1)\" = running && virsh destroy instance-1 && virsh undefine instance-1")
    vm.run(f"echo 1 > /sys/bus/mdev/devices/{UUID}/remove")


def libvirt_down(vm):
    sockets = "libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"
    vm.run(f"systemctl stop {sockets} libvirtd.service")
    refused(vm, "guest.yaml", "libvirt")
    vm.run("gpuhost verify -f guest.yaml", status=69)
    vm.run(f"systemctl start {sockets}")


def full_disk(vm):
    """Of the root file system: nothing can be recorded, so nothing is begun."""
    vm.run("fallocate -l $(df --output=avail -B1 / | tail -1) /var/full; cat /dev/zero > /var/fuller", status=1)
    refused(vm, "functions.yaml", "No space left", status=1)
    vm.run(f"test $(cat {A100}/sriov_numvfs) = 0 && rm /var/full /var/fuller")


def types_late(vm):
    vm.run("echo 3000 > /sys/module/nvidia_vgpu_vfio/parameters/types_delay && gpuhost apply -f functions.yaml --yes")
    vm.run(f"test $(ls -d {A100}/virtfn*/mdev_supported_types | wc -l) = 16 && gpuhost release --yes --allow remove-idle")
