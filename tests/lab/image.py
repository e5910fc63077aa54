"""The image that machines are cloned from: the disk of a Debian 12 host, and the state of it booted by GRUB."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import cache
import host_tree
import lab_gpu
import machine

HERE = pathlib.Path(__file__).resolve().parent
DISK_SIZE = 3 << 30
SECTOR = 512
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
COMMAND_LIMIT = 300
PROBE_LIMIT = 20
EMULATED = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,la57=off"]
ACCELERATED = ["-accel", "kvm", "-cpu", "host"]


class Image:
    """A kept folder: disk.qcow2, the state of it booted, and QEMU's device; and what machines of it run on."""

    def __init__(self, folder):
        self.folder = folder
        self.accelerator = json.loads((folder / "accelerator").read_text())

    def clone(self, folder):
        """A machine like the image, off, with a disk of its own in the folder."""
        disk = folder / "disk.qcow2"
        make_overlay(self.folder / "ready.qcow2", disk)
        return machine.Machine(folder, disk, self.folder, self.accelerator)

    def start(self, clone):
        clone.restore(self.folder / "ready.state")


def ensure():
    """The image, built if it is not there yet."""
    code = [HERE / name for name in ["image.py", "machine.py", "lab_gpu.py"]]
    name = "machine-" + cache.key(*code, host_tree.key(), lab_gpu.SOURCE, lab_gpu.version(), os.uname().release)
    return Image(cache.kept(name, build))


def build(folder):
    tree = host_tree.ensure()
    with tempfile.TemporaryDirectory(dir=cache.root()) as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "device").mkdir()
        lab_gpu.build(scratch / "device")
        shutil.copy2(scratch / "device/lab_gpu.so", folder)
        kernel, = tree.glob("boot/vmlinuz-*")
        initramfs, = tree.glob("boot/initrd.img-*")
        accelerator = ACCELERATED if kvm_boots(kernel) else EMULATED
        (folder / "accelerator").write_text(json.dumps(accelerator))
        make_disk(tree, scratch / "disk.raw", folder / "disk.qcow2")
        try:
            install_boot_loader(folder, scratch, kernel, initramfs, accelerator)
            save_booted(folder, scratch, accelerator)
        except machine.Failed as error:
            raise cache.CannotBuild(str(error)) from error


def kvm_boots(kernel):
    """Whether KVM boots Debian's kernel. That /dev/kvm can be opened does not tell: KVM_PVM runs only its own guests."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = ["qemu-system-x86_64", *ACCELERATED, "-machine", "q35", "-m", "512", "-nodefaults", "-display", "none",
               "-serial", "stdio", "-no-reboot", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]
    try:
        said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PROBE_LIMIT).stdout
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
    return b"Linux version" in said


def make_disk(tree, raw, disk):
    """A partition for GRUB and one for the root, filled without mounting anything."""
    table = f"label: gpt\nstart=2048,size=2048,type={BIOS_BOOT}\nstart=4096\n"
    with open(raw, "wb") as file:
        file.truncate(DISK_SIZE)
    subprocess.run(["sfdisk", "--quiet", str(raw)], input=table, text=True, check=True)
    layout = json.loads(subprocess.run(["sfdisk", "--json", str(raw)], stdout=subprocess.PIPE, check=True).stdout)
    root = layout["partitiontable"]["partitions"][1]
    cache.build_command("mkfs.ext4", [
        "mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^metadata_csum,^64bit", "-d", str(tree),
        "-E", f"offset={root['start'] * SECTOR},lazy_itable_init=1,nodiscard", str(raw),
        str(root["size"] * SECTOR // 4096)], COMMAND_LIMIT)
    cache.build_command("qemu-img", ["qemu-img", "convert", "-O", "qcow2", str(raw), str(disk)], COMMAND_LIMIT)


def make_overlay(base, disk):
    cache.build_command("qemu-img", ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(base), str(disk)],
                        COMMAND_LIMIT)


def install_boot_loader(folder, scratch, kernel, initramfs, accelerator):
    """Into the disk, by the distribution's own tools, from a machine that QEMU boots without a boot loader."""
    (scratch / "install").mkdir()
    with machine.Machine(scratch / "install", folder / "disk.qcow2", folder, accelerator) as first:
        first.power_on("-kernel", str(kernel), "-initrd", str(initramfs), "-append", "root=/dev/vda2 rw console=ttyS0 no_timer_check")
        first.await_boot()
        first.run("grub-install --target=i386-pc /dev/vda && update-grub && sync", seconds=600)


def save_booted(folder, scratch, accelerator):
    """Booted by GRUB, with what a first use would wait for done. The disk it has then is part of the state."""
    ready = folder / "ready.qcow2"
    make_overlay("disk.qcow2", ready)  # beside it, wherever the folder goes
    (scratch / "ready").mkdir()
    with machine.Machine(scratch / "ready", ready, folder, accelerator) as booted:
        booted.power_on()
        booted.await_boot()
        booted.run(f"virsh --quiet list && virsh domcapabilities > /dev/null && umount {machine.SHARE} && sync", seconds=600)
        booted.save(folder / "ready.state")
