"""After an apply, every example host exports a document that plans empty, and says all that the applied one said of the
kernel, of its licence, of GPUs and of virtual machines. (Of units, only those that the document changed, or that GPU hosts have, are
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


def modes(gpu):
    """Those of an entry that are not what a GPU comes with."""
    if gpu.get("ecc") is False:
        yield "ecc off"
    if gpu.get("sizes") == "mixed":
        yield "mixed sizes"
    if gpu.get("scheduler", {}).get("policy", "best-effort") != "best-effort":
        yield json.dumps(gpu["scheduler"], sort_keys=True)


def used_gpus(document):
    """What the entries of a document come to: how many GPUs in which modes, how many vGPUs of which type."""
    counts = collections.Counter()
    for gpu in document.get("gpus", []):
        counts.update(modes(gpu))
        for vgpu in gpu.get("vgpus", []):
            number = vgpu.get("count") or len(vgpu.get("uuids", []) or vgpu.get("vfs", [])) or 1
            counts["vgpu", vgpu["type"].split()[-1]] += number
            counts.update(("placement", vgpu["type"].split()[-1], at) for at in vgpu.get("placement", []))
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
    parts = {key: wanted.get(key, {}) for key in ("kernel", "license")}
    missing = [path for path, _ in leaves(parts) if path not in texts]
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


DISPLAY = """apiVersion: gpuhost/v1
kind: HostState
metadata: {{name: kvm-gpu-15}}
policy: {{disruption: reboot}}
gpus: [{{name: desk, match: {{address: "0000:21:00.0"}}, display: {}}}]
"""


def check_display(binary, source, scratch):
    """A display mode that was switched, there and back, on a host with NVIDIA's tool for it."""
    host, document, exported = scratch / "host.yaml", scratch / "document.yaml", scratch / "exported.yaml"
    text = (source / "examples/hosts/kvm-a40-x4.yaml").read_text()
    tool = '  /usr/local/sbin/displaymodeselector: {text: "", mode: 0755}\n'
    host.write_text(text.replace("\nfiles:\n", "\nfiles:\n" + tool, 1))
    for mode in ("display-enabled", "display-off"):
        document.write_text(DISPLAY.format(mode))
        done = run(binary, "apply", "--host", host, "-f", document, "--yes", "--reboot")
        if done.returncode != 0:
            return f"apply ended with {done.returncode}: {done.stdout}{done.stderr}"
    exported.write_text(run(binary, "export", "--host", host).stdout)
    modes_said = [gpu.get("display") for gpu in yaml.safe_load(exported.read_text())["gpus"]]
    if modes_said[0] != "display-off" or any(modes_said[1:]):
        return f"the export says the display modes {modes_said}"
    plan = run(binary, "plan", "--host", host, "-f", exported, "--detailed-exitcode")
    return None if plan.returncode == 0 else f"the plan of the export is not empty: {plan.stdout}"


def main(binary, source):
    failures = checked = 0
    with tempfile.TemporaryDirectory() as scratch:
        if problem := check_display(binary, source, Path(scratch)):
            failures += 1
            print(problem)
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
