#!/usr/bin/env python3
"""A write to a device that never returns, as a pipe that nobody reads: what becomes of the run, and of later ones.

    abandoned_write_test.py GPUHOST LIBRARY STATE.json SHORT_DEADLINES
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

from live_driver import LiveDriver, empty, main  # first: it says where the next are
from journald import WRITE_ABANDONED, Journald
from live_host import gpuhost
from private_mounts import cover

SHORT_DEADLINES = sys.argv[4]
GPUS = {"0000:41:00.0": "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "0000:61:00.0": "83b8f4f2-509f-382f-3c1e-e6bfe0fa1002"}
(LEFT, LEFT_VGPU), (RIGHT, RIGHT_VGPU) = GPUS.items()


def remove_file(uuid):
    return Path(f"/sys/bus/mdev/devices/{uuid}/remove")


def document(name, address):
    return (f"apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {{name: {name}}}\npolicy: {{disruption: remove-idle}}\n"
            f"gpus: [{{match: {{address: \"{address}\"}}, vgpus: []}}]\n")


def show_vgpu(address, uuid):
    """A vGPU that nobody uses."""
    gpu = Path("/sys/bus/pci/devices") / address
    kind = gpu / "mdev_supported_types/nvidia-468"
    (kind / "devices").mkdir(parents=True)
    for name, text in {"name": "GRID A100-10C", "available_instances": "3", "device_api": "vfio-pci"}.items():
        (kind / name).write_text(text + "\n")
    (gpu / uuid / "nvidia").mkdir(parents=True)
    (gpu / uuid / "nvidia/vgpu_params").write_text("\n")
    (gpu / uuid / "mdev_type").symlink_to("../mdev_supported_types/nvidia-468")
    (kind / "devices" / uuid).symlink_to(f"../../../{uuid}")
    for links, target in ((Path("/sys/bus/mdev/devices"), f"../../pci/devices/{address}/{uuid}"),
                          (Path("/sys/class/mdev_bus"), f"../../bus/pci/devices/{address}")):
        links.mkdir(parents=True, exist_ok=True)
        (links / target.rsplit("/", 1)[1]).symlink_to(target)


class AbandonedWrite(LiveDriver):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        empty("/sys/class")
        for address, uuid in GPUS.items():
            show_vgpu(address, uuid)
        remove_file(RIGHT_VGPU).touch()

    def setUp(self):
        super().setUp()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.folder], check=True)
        self.state.write_text(Path(self.template).read_text())
        for path in ("/etc", "/var/lib", "/run"):
            cover(path, self.folder)
            self.addCleanup(subprocess.run, ["umount", "--lazy", path], check=True)
        os.environ["LD_PRELOAD"] = ":".join(filter(None, [os.environ.get("LD_PRELOAD", ""), SHORT_DEADLINES]))
        os.mkfifo(remove_file(LEFT_VGPU))
        self.addCleanup(remove_file(LEFT_VGPU).unlink)
        self.pipe = os.open(remove_file(LEFT_VGPU), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.addCleanup(os.close, self.pipe)
        try:
            while os.write(self.pipe, b"x" * 4096):
                pass
        except BlockingIOError:
            pass

    def run_on(self, verb, address, *more, expected):
        file = Path(f"/etc/{address}.yaml")
        file.write_text(document("gpu-" + address[5:7], address))
        file.chmod(0o644)
        done = gpuhost(self.binary, verb, "-f", file, *more)
        self.assertEqual(done.returncode, expected, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def status(self):
        return json.loads(gpuhost(self.binary, "status", "-o", "json").stdout)

    def test_it_is_abandoned_and_its_device_refused_until_it_has_come_back(self):
        journald = Journald()
        self.addCleanup(journald.socket.close)
        said = self.run_on("apply", LEFT, "--yes", expected=5)
        self.assertIn("has hung in the kernel over " + LEFT_VGPU, said)
        status = self.status()
        [write] = status["abandoned"]
        self.assertEqual(write["device"], LEFT_VGPU)
        self.assertIn(f"write '1' to {remove_file(LEFT_VGPU)}", write["request"])
        told = [entry for entry in journald.entries() if entry["MESSAGE_ID"] == WRITE_ABANDONED]
        self.assertEqual([(entry["GPUHOST_DEVICE"], entry["GPUHOST_PID"]) for entry in told],
                         [(LEFT_VGPU, str(write["pid"]))])
        self.assertIsNone(status["lock"]["holder"], "it has not inherited the run lock")
        opened = [os.readlink(entry) for entry in Path(f"/proc/{write['pid']}/fd").iterdir()]
        self.assertEqual(sorted(opened), sorted(["/dev/null", "/dev/null", str(remove_file(LEFT_VGPU).resolve())]))

        for verb, more in (("plan", ()), ("apply", ("--yes",))):
            self.assertIn(f"process {write['pid']} has hung", self.run_on(verb, LEFT, *more, expected=7))
        self.assertIn(RIGHT_VGPU, self.run_on("plan", RIGHT, expected=0))
        self.assertIn("is left alone", gpuhost(self.binary, "status").stdout)

        process = os.pidfd_open(write["pid"])
        os.read(self.pipe, 4096)
        self.assertTrue(select.select([process], [], [], 30)[0])
        os.close(process)
        self.assertEqual(self.status()["abandoned"], [])
        self.run_on("plan", LEFT, expected=0)


if __name__ == "__main__":
    main()
