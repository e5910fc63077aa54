#!/usr/bin/env python3
"""What gpuhost writes down of the GPUs that NVIDIA's driver has.

    live_gpus_test.py GPUHOST LIBRARY STATE.json
"""

import ctypes
from pathlib import Path

from live_driver import LiveDriver, main
from live_host import gpuhost


class LiveGpus(LiveDriver):
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

    def test_a_recorded_host_has_what_the_driver_tells(self):
        gpus = self.recorded()
        self.assertIn("uuid: GPU-11111111-2222-3333-4444-555555555555", gpus)
        self.assertIn("serial: 1563221011234", gpus)
        self.assertIn("name: 3g.20gb", gpus)
        self.assertLessEqual(self.driver()["opened"], 2, "one session for what is shown, one for what is recorded")
        self.assertEqual(self.driver()["sessions"], [])

    def test_what_another_client_made_is_seen(self):
        nvml, device = self.partitioned()
        self.assertEqual(nvml.nvmlDeviceCreateGpuInstance(device, 14, ctypes.byref(ctypes.c_void_p())), 0)
        gpus = self.recorded()
        self.assertIn('mode: "on"', gpus)
        self.assertIn('placement: "0:2"', gpus)

    def test_nothing_is_opened_without_the_driver(self):
        for missing in (Path("/dev/nvidiactl"), Path("/sys/module/nvidia")):
            with self.subTest(missing):
                if missing.is_dir():
                    missing.rmdir()
                else:
                    missing.unlink()
                self.assertIn(f"({missing} is missing)", self.recorded())
                self.assertEqual(self.driver().get("opened", 0), 0)
                self.setUp()

    def test_others_than_root_learn_that_they_may_not_ask(self):
        self.partitioned()
        self.change_driver(privileged=False)
        gpus = self.recorded()
        self.assertIn('mode: "on"', gpus)
        self.assertIn("Insufficient Permissions", gpus)


if __name__ == "__main__":
    main()
