"""The host is cut off from power in the middle of an apply: its journal is on the disk, recover ends the run after the boot, and
the next apply converges."""

import nvidia_driver

REBOOTS = True

WANTED = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: remove-idle}
kernel:
  modules: {vfio-pci: {state: loaded}}
gpus:
  - name: big
    match: {address: "0000:01:00.0"}
    mode: vgpu
    vgpus: [{name: train, type: A100X-8C, count: 2}]
"""
JOURNAL = "/var/lib/gpuhost/journal.jsonl"
A100 = "/sys/bus/pci/devices/0000:01:00.0"


def run(vm):
    nvidia_driver.install(vm)
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    # The first vGPU is never made, so that there is a middle to be cut off in.
    vm.run("echo 1 > /sys/module/nvidia_vgpu_vfio/parameters/block_create && sync")
    vm.run("systemd-run --unit=cut-off --collect gpuhost apply --yes")
    vm.run(f"until ls {A100}/virtfn15/mdev_supported_types && grep -q create {JOURNAL}; do :; done >/dev/null 2>&1")
    vm.power_off()

    vm.power_on()
    vm.await_boot()
    vm.run(f"test -s {JOURNAL} && modprobe nvidia && test $(cat {A100}/sriov_numvfs) = 0")
    assert "interrupted" in vm.run("gpuhost status")
    vm.run(f"gpuhost recover && ! test -e {JOURNAL} && ! grep -rqs vfio /etc/modules-load.d")
    vm.run("gpuhost apply --yes && gpuhost verify && gpuhost plan --detailed-exitcode")
