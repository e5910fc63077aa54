"""After an apply, every example host exports a document that plans empty, and says all that the applied one said of the
kernel. (Of units, only those that the document changed, or that GPU hosts have, are exported.)

usage: export_test.py GPUHOST SOURCE
"""

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
    wanted = yaml.safe_load(document.read_text())
    said = dict(leaves(yaml.safe_load(exported.read_text())))
    missing = [path for path, _ in leaves({"kernel": wanted.get("kernel", {})}) if path not in said]
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
