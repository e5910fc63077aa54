#!/usr/bin/env python3
"""gpuhost itself on the library for tests, in a private mount namespace that shows two GPUs of NVIDIA's.

    live_gpus_test.py GPUHOST LIBRARY STATE.json
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "live"))
from live_host import gpuhost  # noqa: E402
from private_mounts import INSIDE, enter_namespace  # noqa: E402

GPUS = {"0000:41:00.0": ("0x20f1", "0x145f"), "0000:61:00.0": ("0x2235", "0x145a")}
DRIVER = Path("/sys/bus/pci/drivers/nvidia")


def empty(path):
    """A folder of the namespace's own in place of the machine's."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path], check=True)


def show_gpus():
    DRIVER.mkdir(parents=True)
    for address, (device, subsystem) in GPUS.items():
        folder = Path("/sys/bus/pci/devices") / address
        folder.mkdir(parents=True)
        for name, text in {"vendor": "0x10de", "device": device, "class": "0x030200", "subsystem_vendor": "0x10de",
                           "subsystem_device": subsystem, "driver_override": "(null)"}.items():
            (folder / name).write_text(text + "\n")
        (folder / "driver").symlink_to("../../../../bus/pci/drivers/nvidia")
        (DRIVER / address).symlink_to(f"../../../../bus/pci/devices/{address}")


class LiveGpus(unittest.TestCase):
    binary = library = template = None

    @classmethod
    def setUpClass(cls):
        null = os.open("/dev/null", os.O_RDWR)
        for path in ("/sys/bus", "/sys/module", "/dev"):
            empty(path)
        Path("/dev/null").touch()
        subprocess.run(["mount", "--bind", f"/proc/self/fd/{null}", "/dev/null"], check=True, pass_fds=[null])
        os.close(null)
        show_gpus()

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="gpuhost-nvml-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = self.folder / "state.json"
        shutil.copy(self.template, self.state)
        self.state.chmod(0o644)
        os.environ["GPUHOST_NVML_STATE"] = str(self.state)
        os.environ["LD_LIBRARY_PATH"] = str(Path(self.library).parent)
        Path("/sys/module/nvidia").mkdir(exist_ok=True)
        Path("/dev/nvidiactl").touch()

    def recorded(self):
        """The GPUs as the recorded host has them, in the very text of it."""
        file = self.folder / "host.yaml"
        done = gpuhost(self.binary, "observe", "--record", file)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        text = file.read_text()
        return text[text.index("  gpus:\n"):text.index("\nfiles:")]

    def partitioned(self):
        """What another client does: MIG mode on. It leaves the library open, and returns it with its GPU."""
        nvml = ctypes.CDLL(self.library)
        device, activation = ctypes.c_void_p(), ctypes.c_uint()
        find = nvml.nvmlDeviceGetHandleByPciBusId_v2
        self.assertEqual(nvml.nvmlInit_v2(), 0)
        self.addCleanup(nvml.nvmlShutdown)
        self.assertEqual(find(b"0000:41:00.0", ctypes.byref(device)), 0)
        self.assertEqual(nvml.nvmlDeviceSetMigMode(device, 1, ctypes.byref(activation)), 0)
        self.assertEqual(find(b"0000:41:00.0", ctypes.byref(device)), 0, "the mode was a reset")
        return nvml, device

    def opened(self):
        return json.loads(self.state.read_text()).get("opened", 0)

    def test_a_recorded_host_has_what_the_driver_tells(self):
        gpus = self.recorded()
        self.assertIn("uuid: GPU-11111111-2222-3333-4444-555555555555", gpus)
        self.assertIn("serial: 1563221011234", gpus)
        self.assertIn("name: 3g.20gb", gpus)
        self.assertEqual(self.opened(), 1, "one session for a look")
        self.assertEqual(json.loads(self.state.read_text())["sessions"], [])

    def test_what_another_client_made_is_seen(self):
        nvml, device = self.partitioned()
        self.assertEqual(nvml.nvmlDeviceCreateGpuInstance(device, 14, ctypes.byref(ctypes.c_void_p())), 0)
        gpus = self.recorded()
        self.assertIn("mode: on", gpus)
        self.assertIn("placement: 0:2", gpus)

    def test_nothing_is_opened_without_the_driver(self):
        for missing in (Path("/dev/nvidiactl"), Path("/sys/module/nvidia")):
            with self.subTest(missing):
                if missing.is_dir():
                    missing.rmdir()
                else:
                    missing.unlink()
                self.assertIn(f"({missing} is missing)", self.recorded())
                self.assertEqual(self.opened(), 0)
                self.setUp()

    def test_others_than_root_learn_that_they_may_not_ask(self):
        self.partitioned()
        state = json.loads(self.state.read_text())
        self.state.write_text(json.dumps(state | {"privileged": False}))
        gpus = self.recorded()
        self.assertIn("mode: on", gpus)
        self.assertIn("Insufficient Permissions", gpus)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter_namespace()
    LiveGpus.binary, LiveGpus.library, LiveGpus.template = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1])
