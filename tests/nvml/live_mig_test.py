#!/usr/bin/env python3
"""gpuhost partitions a GPU through NVIDIA's library: plan, apply, failure, and a second client beside it.

    live_mig_test.py GPUHOST LIBRARY STATE.json
"""

import subprocess
from pathlib import Path

from live_driver import LiveDriver, main
from live_host import gpuhost
from private_mounts import cover

DOCUMENT = """apiVersion: gpuhost/v1
kind: HostState
metadata: {{name: partitions}}
policy: {{disruption: reset-gpu}}
gpus:
  - name: left
    match: {{address: "0000:41:00.0"}}
    mig: {mig}
"""
# NVIDIA's tool, as far as gpuhost calls it. Commands get no environment of ours.
NVIDIA_SMI = """#!/usr/bin/python3
import ctypes, os, sys
os.environ["GPUHOST_NVML_STATE"] = "{state}"
assert sys.argv[1:3] == ["--gpu-reset", "-i"], sys.argv
answer = ctypes.CDLL("{library}").gpuhost_test_reset(sys.argv[3].encode())
print("All done." if answer == 0 else "The following GPUs could not be reset:\\n  In use by another client")
"""


class LiveMig(LiveDriver):
    def setUp(self):
        super().setUp()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.folder], check=True)
        self.state.write_text(Path(self.template).read_text())
        for path in ("/etc", "/var/lib", "/run", "/usr/bin"):
            cover(path, self.folder)
            self.addCleanup(subprocess.run, ["umount", "--lazy", path], check=True)
        tool = Path("/usr/bin/nvidia-smi")
        tool.write_text(NVIDIA_SMI.format(state=self.state, library=self.library))
        tool.chmod(0o755)
        self.file = Path("/etc/document.yaml")

    def apply(self, mig, expected=0):
        self.file.write_text(DOCUMENT.format(mig=mig))
        self.file.chmod(0o644)
        done = gpuhost(self.binary, "apply", "-f", self.file, "--yes")
        self.assertEqual(done.returncode, expected, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def gpu(self):
        return self.driver()["gpus"][0]

    def layout(self):
        names = {profile["id"]: profile["name"] for profile in self.gpu()["profiles"]}
        return sorted(names[instance["profile"]] for instance in self.gpu().get("instances", []))

    def test_a_layout_is_made_once(self):
        self.apply("[{profile: 3g.20gb}, {profile: 1g.5gb, count: 2}]")
        self.assertEqual(self.layout(), ["1g.5gb", "1g.5gb", "3g.20gb"])
        handles = self.gpu()["instances"]
        self.assertIn("Nothing to do", self.apply("[{profile: 3g.20gb}, {profile: 1g.5gb, count: 2}]"))
        self.assertEqual(self.gpu()["instances"], handles, "the same instances")
        self.assertEqual(self.driver()["sessions"], [])

    def test_a_layout_becomes_another_and_none(self):
        self.apply("[{profile: 7g.40gb}]")
        self.apply("[{profile: 2g.10gb, count: 3}]")
        self.assertEqual(self.layout(), ["2g.10gb"] * 3)
        self.apply("[]")
        self.assertEqual((self.layout(), self.gpu()["mode"]["current"]), ([], True))
        self.apply("disabled")
        self.assertEqual(self.gpu()["mode"], {"current": False, "pending": False})

    def test_what_fails_is_undone(self):
        self.change_driver(faults=[{"function": "nvmlDeviceCreateGpuInstanceWithPlacement", "nth": 3, "returns": 999}])
        said = self.apply("[{profile: 2g.10gb, count: 3}]", expected=4)
        self.assertIn("Unknown Error", said)
        self.assertEqual((self.layout(), self.gpu()["mode"]), ([], {"current": False, "pending": False}))

    def test_a_layout_that_does_not_fit_touches_nothing(self):
        self.apply("[{profile: 3g.20gb}]")
        before = self.gpu()["instances"]
        for mig in ("[{profile: 3g.20gb, count: 2}, {profile: 1g.5gb}]", "[{profile: 5g.25gb}]"):
            self.apply(mig, expected=7)
            self.assertEqual(self.gpu()["instances"], before)

    def test_an_instance_that_is_used_stays(self):
        self.apply("[{profile: 3g.20gb}]")
        node = Path("/dev/nvidia0")
        node.touch()
        with node.open() as opened:  # as what computes on it has
            sleeper = subprocess.Popen(["sleep", "300"], stdin=opened)
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        gpus = self.driver()["gpus"]
        gpus[0]["instances"][0]["processes"] = [sleeper.pid]
        self.change_driver(gpus=gpus)
        said = self.apply("[{profile: 7g.40gb}]", expected=7)
        self.assertIn(str(sleeper.pid), said)
        self.assertEqual(self.layout(), ["3g.20gb"])


if __name__ == "__main__":
    main()
