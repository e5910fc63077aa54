"""Builds the modules of nvidia/, which stand in for NVIDIA's driver, for the kernel of the lab's machines."""

import csv
import pathlib
import re
import shutil

import cache
import host_tree
import machine

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE / "nvidia"
CATALOG = HERE.parents[1] / "schema/catalog"
VERSION = "550.90.05"  # the manager of vGPU 17.2 and 17.3
MODULES = ["nvidia.ko", "nvidia-vgpu-vfio.ko"]
LIBRARY = "tests/nvml/today/libnvidia-ml.so.1"
COMPILE_LIMIT = 120
# Of types whose number is not known, above all known ones.
FIRST_MADE_UP_ID = 10_000


def sources():
    return sorted(path for path in SOURCE.iterdir() if path.suffix in (".c", ".h") or path.name == "Kbuild")


def ensure(version=VERSION):
    """The folder with the modules that say this version, built if it is not there yet."""
    tables = [CATALOG / name for name in ("boards.tsv", "vgpu-types.tsv")]
    key = cache.key(pathlib.Path(__file__), *sources(), *tables, *machine.GPUS, host_tree.key(), version)
    return cache.kept(f"driver-{key}", lambda folder: build(folder, version))


def build(folder, version):
    tree = host_tree.ensure()
    for path in sources():
        shutil.copy2(path, folder)
    (folder / "types.inc").write_text("".join(type_rows()))
    headers, = tree.glob("usr/src/linux-headers-*-amd64")
    make = f"make -C /{headers.relative_to(tree)} M=/mnt LAB_VERSION={version} modules"
    cache.build_command("compiling the modules of nvidia/", [
        "unshare", "--mount", "sh", "-ec", f'mount --bind "$1" "$2/mnt"; exec chroot "$2" {make}', "sh", str(folder), str(tree)],
        COMPILE_LIMIT)


def rows(table):
    with open(CATALOG / table, newline="") as file:
        yield from csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")


def type_rows():
    """Of the machine's boards, as the driver describes them; compute types have one head of 4096x2160."""
    devices = {re.search("device-id=0x([0-9a-f]+)", gpu)[1] for gpu in machine.GPUS}
    boards = {row["name"]: row["device"] for row in rows("boards.tsv") if row["device"] in devices}
    made_up = FIRST_MADE_UP_ID
    for row in rows("vgpu-types.tsv"):
        if row["board"] not in boards or row["max"] == "-":
            continue
        number = row["id"]
        if number == "-":
            number = str(made_up)
            made_up += 1
        known = {key: "" if value == "-" else value for key, value in row.items()}
        instance = f'"{known["gpu_instance"]}"' if known["gpu_instance"] else "NULL"
        yield (f'{{ 0x{boards[row["board"]]}, {number}, "{row["name"]}", \'{row["series"]}\', {row["framebuffer"]}, '
               f'{row["max"]}, {known["heads"] or 1}, "{known["resolution"] or "4096x2160"}", {instance} }},\n')


def lay_out(vm, version, folder):
    """What NVIDIA's installer brings to a machine that has gpuhost, as a tree: the modules, the library and the tools, and
    nouveau kept from the GPUs.
    """
    modules = ensure(version)
    kernel = vm.run("uname -r").strip()
    shutil.copytree(SOURCE / "root", folder)
    for path in [vm.build / LIBRARY, *(modules / name for name in MODULES)]:
        place = folder / (f"usr/lib/modules/{kernel}/updates" if path.suffix == ".ko" else "usr/lib/x86_64-linux-gnu")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)


def install(vm, version=VERSION):
    """Into a machine that has gpuhost; the modules are loaded."""
    staged = vm.share / "driver"
    shutil.rmtree(staged, ignore_errors=True)
    lay_out(vm, version, staged)
    vm.unpack(staged)
    vm.run("depmod && ldconfig && modprobe -r nouveau")
    vm.run("modprobe nvidia && udevadm settle && test -e /sys/module/nvidia_vgpu_vfio")


def hold(vm, node):
    """The pid of a process that has the node open and belongs to no unit."""
    return vm.run(
        "mkdir -p /sys/fs/cgroup/lab && "
        f"{{ bash -c 'echo $$ > /sys/fs/cgroup/lab/cgroup.procs && exec sleep 900' <>{node} >/dev/null 2>&1 & }}; "
        "until grep -qx sleep /proc/$!/comm; do :; done; echo $!").strip()
