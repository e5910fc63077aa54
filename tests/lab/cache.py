"""What the lab keeps between runs, and the folders of one run: ${XDG_CACHE_HOME:-~/.cache}/gpuhost-lab.

What is kept is named by a hash of all that goes into it, so that a change of an input builds a new one. Of each sort the
ones that were used last are kept, and those that a running program has.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time


KEPT_OF_A_SORT = 3  # for branches that are worked on side by side
held = {}  # what this program uses, by name: an open folder under a shared lock


class CannotBuild(Exception):
    """No packages can be had, or they cannot be unpacked here."""


def root():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(home) / "gpuhost-lab"


def key(*inputs):
    """Of text, and of files for what they hold."""
    texts = [word.read_text() if isinstance(word, pathlib.Path) else word for word in inputs]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def kept(name, build):
    """The kept folder of this name, filled by build(folder) if it is not there yet. Runs beside each other build once."""
    root().mkdir(parents=True, exist_ok=True)
    sort = name.split("-")[0]
    with open(root() / f"{sort}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root() / name).is_dir():
            build_aside(name, build)
        hold(name)
        remove_unused(sort)
    return root() / name


def hold(name):
    if name not in held:
        held[name] = os.open(root() / name, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(held[name], fcntl.LOCK_SH)
    os.utime(root() / name)


def remove_unused(sort):
    by_use = sorted(root().glob(f"{sort}-*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in by_use[KEPT_OF_A_SORT:]:
        end = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(end, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        except BlockingIOError:
            pass  # a program has it
        finally:
            os.close(end)


def build_aside(name, build):
    started = time.monotonic()
    half_built = pathlib.Path(tempfile.mkdtemp(dir=root(), prefix="building-"))
    try:
        build(half_built)
        half_built.rename(root() / name)
    finally:
        shutil.rmtree(half_built, ignore_errors=True)
    print(f"built {root() / name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def build_command(what, command, seconds, **options):
    """One command of a build; CannotBuild with the end of what it said."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds, text=True, **options)
    except subprocess.TimeoutExpired as late:
        raise CannotBuild(f"{what} took longer than {seconds} s") from late
    if done.returncode != 0:
        raise CannotBuild(f"{what} failed:\n{done.stdout[-2000:]}")


def runs():
    folder = root() / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_running(pid):
    return pathlib.Path("/proc", pid).exists()


@contextlib.contextmanager
def work_folder():
    """Of this process, and gone with it. What killed runs left is removed first: their folders carry their pid."""
    for left in runs().iterdir():
        if not is_running(left.name):
            shutil.rmtree(left, ignore_errors=True)
    folder = runs() / str(os.getpid())
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
