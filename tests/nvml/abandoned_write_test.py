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

from live_driver import DRIVER, LiveDriver, empty, main
from live_host import gpuhost
from private_mounts import cover

SHORT_DEADLINES = sys.argv[4]
LEFT, RIGHT = "0000:41:00.0", "0000:61:00.0"
UNBIND = DRIVER / "unbind"


def document(name, address):
    return (f"apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {{name: {name}}}\npolicy: {{disruption: remove-idle}}\n"
            f"gpus: [{{match: {{address: \"{address}\"}}, mode: passthrough}}]\n")


class AbandonedWrite(LiveDriver):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        empty("/sys/kernel")
        for group, address in enumerate((LEFT, RIGHT)):
            devices = Path(f"/sys/kernel/iommu_groups/{group}/devices")
            devices.mkdir(parents=True)
            (devices / address).symlink_to(f"../../../../bus/pci/devices/{address}")
            (Path("/sys/bus/pci/devices") / address / "iommu_group").symlink_to(f"../../../../kernel/iommu_groups/{group}")
        Path("/sys/module/vfio_pci").mkdir()  # built in
        Path("/sys/bus/pci/drivers/vfio-pci").mkdir()
        Path("/sys/bus/pci/drivers_probe").touch()

    def setUp(self):
        super().setUp()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.folder], check=True)
        self.state.write_text(Path(self.template).read_text())
        for path in ("/etc", "/var/lib", "/run"):
            cover(path, self.folder)
            self.addCleanup(subprocess.run, ["umount", "--lazy", path], check=True)
        os.environ["LD_PRELOAD"] = ":".join(filter(None, [os.environ.get("LD_PRELOAD", ""), SHORT_DEADLINES]))
        UNBIND.unlink(missing_ok=True)
        os.mkfifo(UNBIND)
        self.pipe = os.open(UNBIND, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
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
        said = self.run_on("apply", LEFT, "--yes", expected=5)
        self.assertIn("has hung in the kernel over " + LEFT, said)
        status = self.status()
        [write] = status["abandoned"]
        self.assertEqual(write["device"], LEFT)
        self.assertIn(f"write '{LEFT}' to {UNBIND}", write["request"])
        self.assertIsNone(status["lock"]["holder"], "it has not inherited the run lock")
        opened = [os.readlink(entry) for entry in Path(f"/proc/{write['pid']}/fd").iterdir()]
        self.assertEqual(sorted(opened), sorted(["/dev/null", "/dev/null", str(UNBIND)]))

        for verb, more in (("plan", ()), ("apply", ("--yes",))):
            self.assertIn(f"process {write['pid']} has hung", self.run_on(verb, LEFT, *more, expected=7))
        self.assertIn("passthrough", self.run_on("plan", RIGHT, expected=0))
        self.assertIn("is left alone", gpuhost(self.binary, "status").stdout)

        process = os.pidfd_open(write["pid"])
        os.read(self.pipe, 4096)
        self.assertTrue(select.select([process], [], [], 30)[0])
        os.close(process)
        self.assertEqual(self.status()["abandoned"], [])
        self.run_on("plan", LEFT, expected=0)


if __name__ == "__main__":
    main()
