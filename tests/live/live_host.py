"""What the tests on the live machine share: running gpuhost, and looking at a tree of files."""

import json
import os
import subprocess
from pathlib import Path

LIMIT = 60  # seconds for one command


def gpuhost(binary, *arguments):
    return subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT,
                          stdin=subprocess.DEVNULL, env=os.environ | {"NO_COLOR": "1"})


def plan_of(binary, *arguments):
    done = gpuhost(binary, "plan", "-o", "json", *arguments)
    return json.loads(done.stdout), done.returncode


def snapshot(*roots):
    """Every file under the folders with content and change time, so that a write that changes nothing shows too."""
    found = {}
    for root in map(Path, roots):
        for path in sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            found[str(path)] = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
    return found


def document(name, body):
    return f"apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {{name: {name}}}\n{body}"
