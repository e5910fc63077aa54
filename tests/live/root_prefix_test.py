"""gpuhost on a directory given by --root, with the real file adapter: a module option, a blocked module and a kernel
parameter are applied, verified, applied again without a write, changed by another hand, and given back.

usage: root_prefix_test.py GPUHOST
"""

import sys
import tempfile
import unittest
from pathlib import Path

from live_host import document, gpuhost, plan_of, snapshot

BINARY = ""

DOCUMENT = document("root-prefix", """
kernel:
  parameters:
    intel_iommu: "on"
    quiet: {state: absent}
  modules:
    vfio-pci: {state: loaded, options: {disable_idle_d3: 1}}
    nouveau: {state: blocked}
""")
DROPPED = document("root-prefix", "kernel: {parameters: {}, modules: {}}\n")

DROP_IN = "etc/default/grub.d/zz-gpuhost.cfg"
MODPROBE = "etc/modprobe.d/zz-gpuhost.conf"


class RootPrefix(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = Path(holder.name) / "root"
        for folder in ("etc/default/grub.d", "etc/modprobe.d", "usr/sbin", "boot/grub"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc/default/grub").write_text(
            'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n')
        (self.root / "usr/sbin/update-grub").write_text("#!/bin/sh\nexit 99\n")
        (self.root / "usr/sbin/update-grub").chmod(0o755)
        (self.root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (self.root / "etc/hostname").write_text("image\n")
        self.file = Path(holder.name) / "document.yaml"
        self.write(DOCUMENT)

    def write(self, text):
        self.file.write_text(text)

    def run_verb(self, verb, *more):
        return gpuhost(BINARY, verb, "--root", self.root, "-f", self.file, *more)

    def apply(self):
        done = self.run_verb("apply", "--yes")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def test_applied_verified_and_applied_again_with_zero_writes(self):
        before = snapshot(self.root)
        self.assertNotEqual(self.run_verb("verify").returncode, 0)
        self.assertEqual(snapshot(self.root), before, "plan and verify write nothing")
        self.apply()
        self.assertIn("intel_iommu=on", (self.root / DROP_IN).read_text())
        self.assertIn("options vfio_pci disable_idle_d3=1", (self.root / MODPROBE).read_text().replace("-", "_"))
        self.assertIn("blacklist nouveau", (self.root / MODPROBE).read_text())
        verified = self.run_verb("verify")
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        applied = snapshot(self.root)
        self.apply()
        self.assertEqual(snapshot(self.root), applied)

    def test_another_hand_is_drift_and_is_mended(self):
        self.apply()
        path = self.root / MODPROBE
        path.write_text(path.read_text().replace("disable_idle_d3=1", "disable_idle_d3=0"))
        plan, _ = plan_of(BINARY, "--root", self.root, "-f", self.file)
        self.assertTrue(any("vfio" in entry["address"] for entry in plan["drift"]), plan["drift"])
        self.assertTrue(any(change["action_reason"] == "drift" for change in plan["changes"]), plan["changes"])
        self.assertEqual(self.run_verb("verify").returncode, 2)
        self.apply()
        self.assertIn("disable_idle_d3=1", path.read_text())

    def test_what_the_document_drops_is_given_back(self):
        before = {path: entry[0] for path, entry in snapshot(self.root).items()}
        self.apply()
        self.write(DROPPED)
        self.apply()
        after = {path: entry[0] for path, entry in snapshot(self.root / "etc", self.root / "boot").items()}
        self.assertEqual(after, {path: text for path, text in before.items() if "/usr/" not in path})

    def test_a_boot_loader_that_would_have_to_be_rebuilt_blocks_with_what_to_do(self):
        (self.root / "boot/grub/grub.cfg").write_text(
            "menuentry 'Debian' {\n\tlinux /vmlinuz root=/dev/sda1 ro quiet\n}\n")
        done = self.run_verb("apply", "--yes")
        self.assertEqual(done.returncode, 7, done.stdout + done.stderr)
        self.assertIn("--root", done.stdout + done.stderr)
        self.assertFalse((self.root / DROP_IN).exists())


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main()
