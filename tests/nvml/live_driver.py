"""gpuhost itself on the library for tests, in a private mount namespace that shows two GPUs of NVIDIA's."""

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
from private_mounts import INSIDE, enter_namespace  # noqa: E402

GPUS = {"0000:41:00.0": ("0x20f1", "0x145f"), "0000:61:00.0": ("0x2235", "0x145a")}
DRIVER = Path("/sys/bus/pci/drivers/nvidia")


def empty(path):
    """A folder of the namespace's own in place of the machine's."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path], check=True)


def show_gpus():
    DRIVER.mkdir(parents=True)
    for minor, (address, (device, subsystem)) in enumerate(GPUS.items()):
        folder = Path("/sys/bus/pci/devices") / address
        folder.mkdir(parents=True)
        for name, text in {"vendor": "0x10de", "device": device, "class": "0x030200", "subsystem_vendor": "0x10de",
                           "subsystem_device": subsystem, "driver_override": "(null)"}.items():
            (folder / name).write_text(text + "\n")
        information = Path("/proc/driver/nvidia/gpus") / address / "information"
        information.parent.mkdir(parents=True)
        information.write_text(f"Bus Location: \t {address}\nDevice Minor: \t {minor}\n")
        (folder / "driver").symlink_to("../../../../bus/pci/drivers/nvidia")
        (DRIVER / address).symlink_to(f"../../../../bus/pci/devices/{address}")


class LiveDriver(unittest.TestCase):
    binary = library = template = None

    @classmethod
    def setUpClass(cls):
        null = os.open("/dev/null", os.O_RDWR)
        for path in ("/sys/bus", "/sys/module", "/proc/driver", "/dev"):
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

    def driver(self):
        """The library's state, as it stands in the file."""
        return json.loads(self.state.read_text())

    def change_driver(self, **values):
        self.state.write_text(json.dumps(self.driver() | values))


def main():
    """For a program with tests and the arguments GPUHOST LIBRARY STATE.json."""
    if INSIDE not in os.environ:
        enter_namespace()
    LiveDriver.binary, LiveDriver.library, LiveDriver.template = sys.argv[1:4]
    unittest.main(module="__main__", argv=sys.argv[:1])
