"""A root tree of Debian 12 from packages, for a container or a virtual machine."""

SUITE = "bookworm"
# What gpuhost and its tests link, and what they talk to.
PACKAGES = [
    "systemd-sysv", "dbus", "udev", "kmod", "libsdbus-c++1", "libkmod2", "libyaml-cpp0.7", "libfmt9", "libspdlog1.10",
    "libmd0", "libstdc++6", "libpugixml1v5", "libvirt-daemon-system", "libvirt-clients", "qemu-system-x86",
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


def command(tree, packages, options):
    """Makes the tree with these packages and mmdebstrap's options beside the common ones."""
    return ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase",
            f"--include={','.join([*PACKAGES, *packages])}", *OPTIONS, *options, SUITE, str(tree)]
