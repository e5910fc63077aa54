"""Holds the simulator against the machine: the same apply on a record of the host before, and both hosts as observed after."""

import json
import re

import machine

# Not simulated: how often a guest has a module open, and the module that the stand-in for sriov-manage works
# through. MIG-backed types: whether NVIDIA's driver lists them on a GPU that is not partitioned is not known.
NOT_COMPARED = re.compile(r"/use_count$|/pci_pf_stub$|/types/GRID A100X-\d-\d+C(ME)?$")
PID = re.compile(r"\(pid \d+\)")


def compare(vm, document, apply):
    """apply() makes the real host what the document says; the simulator starts from the record of the host before."""
    vm.run("gpuhost observe --record before.yaml > /dev/null")
    apply()
    vm.run("gpuhost observe --record after.yaml > /dev/null")
    vm.run(f"gpuhost apply -f {document} --yes --host before.yaml --host-out simulated.yaml")
    real, simulated = (json.loads(vm.run(f"gpuhost observe --host {name}.yaml -o json")) for name in ("after", "simulated"))
    if different := list(differences(real, simulated)):
        raise machine.Failed("the simulator differs from the machine:\n" + "\n".join(different))


def differences(real, simulated, place=""):
    if NOT_COMPARED.search(place):
        return
    if isinstance(real, dict) and isinstance(simulated, dict):
        for key in sorted(real.keys() | simulated.keys()):
            yield from differences(real.get(key), simulated.get(key), f"{place}/{key}")
        return
    real, simulated = (PID.sub("(pid)", json.dumps(value)) for value in (real, simulated))
    if real != simulated:
        yield f"{place}: {real} on the machine, {simulated} simulated"
