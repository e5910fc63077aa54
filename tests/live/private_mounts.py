"""A mount namespace of the tests' own, in which they cover folders of the machine without changing it."""

import os
import subprocess
import sys
from pathlib import Path

INSIDE = "GPUHOST_INSIDE_NAMESPACE"
SKIPPED = 77  # what ctest counts as skipped


def cover(path, scratch):
    """Puts an overlay over a folder, so that what is written there stays in `scratch`."""
    upper, work = scratch / path.strip("/").replace("/", "_"), scratch / (path.strip("/").replace("/", "_") + ".work")
    upper.mkdir()
    work.mkdir()
    Path(path).mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={path},upperdir={upper},workdir={work}", path],
                   check=True)


def enter_namespace():
    if os.geteuid() != 0:
        print("skipped: only root can make a mount namespace")
        sys.exit(SKIPPED)
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        print(f"skipped: no mount namespace can be made here: {probe.stderr.strip()}")
        sys.exit(SKIPPED)
    os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv],
               os.environ | {INSIDE: "1"})
