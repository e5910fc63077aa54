"""Installers of the lab's driver: a self-extracting file with the options of NVIDIA's .run files, and a deb."""

import pathlib
import subprocess
import tarfile
import tempfile

import machine
import nvidia_driver

PACKAGE = "nvidia-vgpu-lab"
RUN_FILE = """\
#!/bin/sh
# Takes the options that NVIDIA's installer takes unattended, and no others.
set -e
payload=$(awk '/^__PAYLOAD__$/ { print NR + 1; exit }' "$0")
folder=
for option; do
  case $option in
    --ui=none | --no-questions | --skip-module-load | --dkms) ;;
    --tmpdir) folder=next ;;
    *) test "$folder" = next && test -d "$option" || { echo "invalid option: $option" >&2; exit 1; }
       folder=$option ;;
  esac
done
INSTALL
exit 0
__PAYLOAD__
"""
INSTALL = """\
test -e /usr/bin/nvidia-uninstall && /usr/bin/nvidia-uninstall --ui=none --no-questions
tail -n +"$payload" "$0" | tar -xz --no-same-owner -C /
depmod
ldconfig"""
UNINSTALL = """\
#!/bin/sh
set -e
cd /
xargs rm -f < /usr/share/nvidia-lab/files
rm -f /usr/share/nvidia-lab/files /usr/bin/nvidia-uninstall
depmod
"""


def run_file(vm, version, works=True):
    """The path in the machine of a .run file; one that does not work ends well and has done nothing."""
    name = f"NVIDIA-Linux-x86_64-{version}-vgpu-kvm{'' if works else '-idle'}.run"
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch) / "root"
        nvidia_driver.lay_out(vm, version, root)
        files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        (root / "usr/share/nvidia-lab").mkdir(parents=True)
        (root / "usr/share/nvidia-lab/files").write_text("\n".join(files) + "\n")
        (root / "usr/bin").mkdir(parents=True, exist_ok=True)
        (root / "usr/bin/nvidia-uninstall").write_text(UNINSTALL)
        (root / "usr/bin/nvidia-uninstall").chmod(0o755)
        made = vm.share / name
        made.write_text(RUN_FILE.replace("INSTALL", INSTALL if works else ":"))
        with open(made, "ab") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            for path in sorted(root.iterdir()):
                tar.add(path, path.name)
    return bring(vm, made)


def deb(vm, version):
    """The path in the machine of a package of the driver."""
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch) / "root"
        nvidia_driver.lay_out(vm, version, root)
        control = root / "DEBIAN"
        control.mkdir()
        (control / "control").write_text(f"Package: {PACKAGE}\nVersion: {version}\nArchitecture: amd64\n"
                                         "Maintainer: the lab <root@localhost>\nDescription: the lab's driver\n")
        for script in ("postinst", "postrm"):
            (control / script).write_text("#!/bin/sh\ndepmod && ldconfig\n")
            (control / script).chmod(0o755)
        made = vm.share / f"{PACKAGE}_{version}_amd64.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, made], stdout=subprocess.DEVNULL, check=True)
    return bring(vm, made)


def bring(vm, made):
    """A source that others than root can write is refused, so it does not stay in the shared folder."""
    vm.run(f"install -D -m 644 {machine.SHARE}/{made.name} /srv/nvidia/{made.name}")
    return f"/srv/nvidia/{made.name}"
