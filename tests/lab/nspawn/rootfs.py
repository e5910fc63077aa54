"""The root tree that containers boot: a minimal Debian 12 with systemd, D-Bus and the libraries gpuhost links.

Built once and cached under ${XDG_CACHE_HOME:-~/.cache}/gpuhost-lab/<hash of this file>, so that a change here builds
a new one.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

SUITE = "bookworm"
PACKAGES = [
    "systemd-sysv", "dbus", "udev", "kmod", "libsdbus-c++1", "libkmod2", "libyaml-cpp0.7", "libfmt9", "libspdlog1.10",
    "libmd0", "libstdc++6", "libgtest-dev", "libasan8", "libubsan1", "libpugixml1v5",
    "libvirt-daemon-system", "libvirt-clients", "qemu-system-x86",
]
# No fsync of thousands of files, nothing that no test reads.
OPTIONS = [
    "--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\"",
    "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/info/*",
    # Timers would run in the middle of a test; a login prompt has no console to live on.
    "--customize-hook=chroot \"$1\" systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer "
    "fstrim.timer dpkg-db-backup.timer getty@tty1.service console-getty.service systemd-networkd-wait-online.service",
    "--customize-hook=echo gpuhost-lab > \"$1/etc/hostname\"",
]
BUILD_LIMIT = 600


class CannotBuild(Exception):
    """No packages can be had, or they cannot be unpacked here."""


def cache():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(home) / "gpuhost-lab"


def ensure():
    """The tree, built if it is not there yet. Runs beside each other build it once."""
    key = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:16]
    tree = cache() / key
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            build(tree)
    return tree


def build(tree):
    started = time.monotonic()
    half_built = pathlib.Path(tempfile.mkdtemp(dir=cache(), prefix="building-"))
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}", *OPTIONS,
               SUITE, str(half_built)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=BUILD_LIMIT, text=True)
        if done.returncode != 0:
            raise CannotBuild(f"mmdebstrap failed:\n{done.stdout[-2000:]}")
        half_built.rename(tree)
    except subprocess.TimeoutExpired as late:
        raise CannotBuild(f"mmdebstrap took longer than {BUILD_LIMIT} s") from late
    finally:
        shutil.rmtree(half_built, ignore_errors=True)
    print(f"built {tree} in {time.monotonic() - started:.0f} s", file=sys.stderr)
