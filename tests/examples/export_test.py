"""After an apply, every example host exports a document that plans empty, and says all that the applied one said of the
kernel, of GPUs and of virtual machines. (Of units, only those that the document changed, or that GPU hosts have, are
exported.)

usage: export_test.py GPUHOST SOURCE
"""

import collections
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml


def run(binary, *arguments):
    return subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)


def leaves(value, path=()):
    """Every scalar of a document with its path; a module's state alone and a map with only a state are the same."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key.replace("-", "_")))
    else:
        yield path, str(value)


def used_gpus(document):
    """What the entries of a document come to: how many GPUs in which mode, how many vGPUs of which type."""
    counts = collections.Counter()
    for gpu in document.get("gpus", []):
        for vgpu in gpu.get("vgpus", []):
            number = vgpu.get("count") or len(vgpu.get("uuids", []) or vgpu.get("vfs", [])) or 1
            counts["vgpu", vgpu["type"].split()[-1]] += number
        if gpu.get("functions") == "enabled":
            counts["functions"] = 1
        if gpu.get("mode") == "passthrough":
            counts["passthrough"] = 1
    return counts


def bound_guests(document):
    """Names of the machines with devices, how many of which sort, and whether they are kept running."""
    return {(vm["name"], *sorted(next(iter(device)) for device in vm["devices"]), vm.get("state") == "running")
            for vm in document.get("vms", []) if vm.get("devices")}


def left_out(binary, host, document):
    """Addresses of what the document lets be missing."""
    plan = json.loads(run(binary, "plan", "--host", host, "-f", document, "-o", "json").stdout)
    return {condition["address"] for condition in plan["conditions"] if condition["type"] == "Degraded"}


def what_is_missing(wanted, said, absent):
    texts = dict(leaves(said))
    missing = [path for path, _ in leaves({"kernel": wanted.get("kernel", {})}) if path not in texts]
    gpus = used_gpus(said)
    missing += [what for what, number in used_gpus(wanted).items() if gpus[what] < number]
    guests = bound_guests(said)
    missing += [guest for guest in bound_guests(wanted)
                if guest not in guests and (*guest[:-1], True) not in guests and f"vm[{guest[0]}]" not in absent]
    return missing


def check(binary, host, document, scratch):
    copy, exported = scratch / "host.yaml", scratch / "exported.yaml"
    shutil.copy(host, copy)
    done = run(binary, "apply", "--host", copy, "-f", document, "--yes", "--reboot")
    if done.returncode != 0:
        return f"apply ended with {done.returncode}: {done.stdout}{done.stderr}"
    exported.write_text(run(binary, "export", "--host", copy).stdout)
    plan = run(binary, "plan", "--host", copy, "-f", exported, "--detailed-exitcode")
    if plan.returncode != 0:
        return f"the plan of the export is not empty ({plan.returncode}): {plan.stdout}{plan.stderr}"
    missing = what_is_missing(yaml.safe_load(document.read_text()), yaml.safe_load(exported.read_text()),
                              left_out(binary, copy, document))
    return f"the export lacks {missing}" if missing else None


def main(binary, source):
    failures = checked = 0
    for host in sorted((source / "examples/hosts").glob("*.yaml")):
        for document in sorted((source / "examples" / host.stem).glob("*.yaml")):
            with tempfile.TemporaryDirectory() as scratch:
                problem = check(binary, host, document, Path(scratch))
            checked += 1
            if problem:
                failures += 1
                print(f"{document}: {problem}")
    print(f"{checked} documents, {failures} failures")
    return failures > 0 or checked == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
