"""An A100 is cut into GPU instances through the management library of the tests, beside its virtual functions; what the
driver loses is made again; a process that has the GPU open keeps it from being cut otherwise."""

import nvidia_driver

REBOOTS = False

WANTED = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: reset-gpu}
gpus:
  - name: left
    match: {address: "0000:01:00.0"}
    mode: vgpu
    functions: enabled
    mig: [{name: big, profile: 3g.20gb, placement: [4]}, {profile: 2g.10gb}, {profile: 1g.5gb, count: 2}]
"""
GPU = "/sys/bus/pci/devices/0000:01:00.0"
LAYOUT = ["1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb"]


def run(vm):
    nvidia_driver.install(vm)
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    assert "A100" in vm.run("nvidia-smi -L")
    vm.run("gpuhost apply --yes")
    is_cut(vm)
    before = vm.run(f"cat {GPU}/lab/partition")
    vm.run("gpuhost plan --detailed-exitcode && gpuhost apply --yes && gpuhost verify")
    assert vm.run(f"cat {GPU}/lab/partition") == before

    vm.run(f"/usr/lib/nvidia/sriov-manage -d 0000:01:00.0 && test $(wc -l < {GPU}/lab/partition) = 1")
    vm.run("gpuhost verify", status=2)
    vm.run("gpuhost apply --yes && gpuhost verify")
    is_cut(vm)
    held(vm)

    vm.run("gpuhost release --yes --allow reset-gpu")
    vm.run(f"grep -qx 'mode 0' {GPU}/lab/partition && test $(cat {GPU}/sriov_numvfs) = 0")


def is_cut(vm):
    lines = vm.run(f"cat {GPU}/lab/partition").splitlines()
    assert lines[0] == "mode 1" and sorted(line.split()[1] for line in lines[1:]) == LAYOUT, lines
    vm.run(f"test $(cat {GPU}/sriov_numvfs) = 16")


def held(vm):
    """By a process of no unit, which is named with its pid and lives on."""
    pid = nvidia_driver.hold(vm, "/dev/nvidia0")
    vm.write("/root/none.yaml", WANTED.split("    mig:")[0] + "    mig: disabled\n")
    said = vm.run("gpuhost apply -f none.yaml --yes", status=7)
    assert f"sleep (pid {pid})" in said, said
    is_cut(vm)
    vm.run(f"kill {pid}")
