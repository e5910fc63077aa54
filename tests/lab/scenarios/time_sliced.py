"""Time-sliced vGPUs, on virtual functions of an A100 and on a T4 that has none, one of them in a running guest; given back."""

import nvidia_driver
import simulated

REBOOTS = False

WANTED = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: remove-idle}
driver: {flavor: vgpu-manager, product: nvaie, release: "17.2"}
gpus:
  - name: big
    match: {address: "0000:01:00.0"}
    mode: vgpu
    vgpus:
      - {name: train, type: A100X-8C, count: 2, params: {enable_uvm: 1}}
  - name: small
    match: {model: T4}
    mode: vgpu
    vgpus: [{name: desk, type: T4-4Q, count: 2}]
vms:
  - {name: trainer, devices: [{vgpu: big/train/0}], state: running}
"""
GUEST = """\
<domain type='qemu'>
  <name>trainer</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
</domain>
"""
A100 = "/sys/bus/pci/devices/0000:01:00.0"
T4 = "/sys/bus/pci/devices/0000:03:00.0"


def run(vm):
    nvidia_driver.install(vm)
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    vm.write("/root/guest.xml", GUEST)
    vm.run("virsh define guest.xml")
    vm.run("gpuhost verify", status=2)
    simulated.compare(vm, "/etc/gpuhost/host.yaml", lambda: vm.run("gpuhost apply --yes"))
    is_made(vm)
    settled(vm)
    in_use(vm)
    given_back(vm)


def is_made(vm):
    vm.run(f"test $(cat {A100}/sriov_numvfs) = 16")
    vm.run(f"test $(ls -d {A100}/virtfn*/*-*-*-*-* | wc -l) = 2 && test $(ls -d {T4}/*-*-*-*-* | wc -l) = 2")
    vm.run("grep -qx 'GRID A100X-8C' /sys/bus/mdev/devices/*/mdev_type/name")
    vm.run("test \"$(virsh domstate trainer | head -1)\" = running && virsh dumpxml trainer | grep -q \"type='mdev'\"")


def settled(vm):
    """Applied again, nothing is done, and no guest or device is made anew."""
    before = vm.run("ls -i /sys/bus/mdev/devices/; pidof qemu-system-x86_64")
    vm.run("gpuhost plan --detailed-exitcode && gpuhost apply --yes && gpuhost verify")
    assert vm.run("ls -i /sys/bus/mdev/devices/; pidof qemu-system-x86_64") == before


def in_use(vm):
    """What a guest has is not taken from it: the run is refused before its first step, by name."""
    vm.write("/root/less.yaml", WANTED.split("    vgpus:")[0] + "    vgpus: []\n")
    assert "trainer" in vm.run("gpuhost apply -f less.yaml --yes", status=7)
    is_made(vm)


def given_back(vm):
    vm.run("virsh destroy trainer && gpuhost release --yes --allow remove-idle")
    vm.run(f"test -z \"$(ls /sys/bus/mdev/devices)\" && test $(cat {A100}/sriov_numvfs) = 0")
    vm.run("! virsh dumpxml trainer | grep -q mdev")
