"""apply is killed at moments spread over its run: recover leaves the host as it was, or says it is done, and the next apply
converges."""

import machine

REBOOTS = False

WANTED = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: stop-units}
kernel:
  modules:
    vfio-pci: {state: loaded}
    mdev: {state: loaded}
    dummy: {state: unloaded}
units:
  libvirt-guests.service: {enabled: false, state: inactive}
"""
# Under emulation a run takes about as long as the last of them.
MOMENTS = [1, 1.5, 2, 2.5, 3, 4, 6]
BEFORE = ("! test -e /sys/module/vfio_pci && ! test -e /sys/module/mdev && test -e /sys/module/dummy && "
          "systemctl is-active libvirt-guests.service && ! grep -rqs vfio /etc/modules-load.d")
KILLED = 137


def run(vm):
    vm.run("modprobe dummy")
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    vm.run(BEFORE)
    ends = [killed_after(vm, seconds) for seconds in MOMENTS]
    if KILLED not in ends:
        raise machine.Failed(f"no run was killed: {ends}")
    vm.run("gpuhost apply --yes && gpuhost verify && gpuhost plan --detailed-exitcode")


def killed_after(vm, seconds):
    """What the run ended with. The host is as before again."""
    status, said = vm.ask(f"timeout --signal=KILL {seconds} gpuhost apply --yes; exit $?")
    if status not in (0, KILLED):
        raise machine.Failed(f"killed after {seconds} s, apply ended with {status}:\n{said}")
    vm.run("gpuhost recover && ! test -e /var/lib/gpuhost/journal.jsonl")
    if vm.ask(BEFORE)[0] != 0:
        vm.run("gpuhost verify")
        vm.run("gpuhost release --yes --allow stop-units")
        vm.run(f"modprobe dummy && {BEFORE}")
    return status
