"""The root tree of the lab's machines: a Debian 12 host with a kernel, GRUB and libvirt, and what image/ lays over it."""

import pathlib
import shlex
import subprocess

import cache
import debian

OVERLAY = pathlib.Path(__file__).resolve().parent / "image"
PACKAGES = [  # the kernel that is not for clouds: that one lacks vfio and 9p
    "linux-image-amd64", "linux-headers-amd64", "make", "initramfs-tools", "lz4", "grub-pc", "pciutils", "procps", "python3",
    "polkitd",
]
# Modules of hardware that the machine has not: depmod reads all there are, under emulation.
UNUSED_MODULES = ["sound"] + [f"drivers/{part}" for part in [
    "gpu/drm/amd", "gpu/drm/i915", "hwmon", "iio", "infiniband", "media", "net/ethernet", "net/wireless", "scsi", "staging",
    "usb"]]
OPTIONS = [
    *(f"--dpkgopt=path-exclude=/lib/modules/*/kernel/{part}/*" for part in UNUSED_MODULES),
    *(f"--dpkgopt=path-include=/lib/modules/*/kernel/drivers/media/{part}/*" for part in ["cec", "rc"]),  # nouveau needs them
    # Before the kernel is configured, which makes an initramfs.
    f"--essential-hook=sync-in {shlex.quote(str(OVERLAY))} /",
    "--essential-hook=echo grub-pc grub-pc/install_devices_empty boolean true | chroot \"$1\" debconf-set-selections",
]


def key():
    files = [path for path in sorted(OVERLAY.rglob("*")) if path.is_file()]
    return cache.key(pathlib.Path(__file__), pathlib.Path(debian.__file__), *files)


def ensure():
    """The tree, built if it is not there yet. Kept apart from the image: it takes the longest and changes the least."""
    return cache.kept(f"host-{key()}", build)


def build(tree):
    cache.build_command("mmdebstrap", debian.command(tree, PACKAGES, OPTIONS), debian.BUILD_LIMIT)
    # Packages' scripts write over the one and would not have made the other, without which the journal of a boot is lost.
    (tree / "etc/hosts").write_text("127.0.0.1 localhost gpuhost-lab\n")
    (tree / "var/log/journal").mkdir(exist_ok=True)
    subprocess.run(["systemctl", f"--root={tree}", "--quiet", "enable", "gpuhost-lab-agent.service"], check=True)
