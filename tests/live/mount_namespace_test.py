"""gpuhost as root on the live machine, in a private mount namespace so that the machine itself stays as it is: the
kernel parameter drop-in and the boot loader's command, through the real adapters for files and commands.

usage: mount_namespace_test.py GPUHOST
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from live_host import document, gpuhost, plan_of, snapshot
from private_mounts import INSIDE, cover, enter_namespace

BINARY = ""

DOCUMENT = document("namespace", "kernel: {parameters: {gpuhost_test.mark: \"1\", quiet: {state: absent}}}\n")
DROPPED = document("namespace", "kernel: {parameters: {}}\n")
DROP_IN = Path("/etc/default/grub.d/zz-gpuhost.cfg")
GRUB_CFG = Path("/boot/grub/grub.cfg")

# Does what Debian's does, as far as the command line goes: the shell reads the same files in the same order.
UPDATE_GRUB = """#!/bin/sh
set -e
. /etc/default/grub
for file in /etc/default/grub.d/*.cfg; do [ ! -e "$file" ] || . "$file"; done
printf "menuentry 'Debian' {\\n\\tlinux /vmlinuz root=/dev/vda1 ro %s %s\\n}\\n" \\
  "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT" > /boot/grub/grub.cfg
"""


class MountNamespace(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        scratch = Path(holder.name)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", scratch], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", scratch], check=True)
        for path in ("/etc", "/boot", "/usr/sbin", "/var/lib", "/run"):
            cover(path, scratch)
            self.addCleanup(subprocess.run, ["umount", "--lazy", path], check=True)
        Path("/etc/default/grub.d").mkdir(parents=True, exist_ok=True)
        Path("/etc/default/grub").write_text('GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n')
        Path("/usr/sbin/update-grub").write_text(UPDATE_GRUB)
        Path("/usr/sbin/update-grub").chmod(0o755)
        GRUB_CFG.parent.mkdir(parents=True, exist_ok=True)
        GRUB_CFG.write_text("menuentry 'Debian' {\n\tlinux /vmlinuz root=/dev/vda1 ro quiet\n}\n")
        self.file = Path("/etc/document.yaml")  # root's, in a folder that only root writes
        self.file.write_text(DOCUMENT)
        self.file.chmod(0o644)

    def apply(self, expected):
        done = gpuhost(BINARY, "apply", "-f", self.file, "--yes")
        self.assertEqual(done.returncode, expected, done.stdout + done.stderr)

    def test_staged_once_then_waiting_for_the_reboot_without_a_write(self):
        self.apply(3)
        self.assertIn("gpuhost_test.mark=1", GRUB_CFG.read_text())
        self.assertNotIn("quiet", GRUB_CFG.read_text())
        self.assertTrue(Path("/run/reboot-required").exists())
        staged = snapshot("/etc/default", "/boot", "/var/lib/gpuhost", "/run/gpuhost")
        self.apply(3)
        again = snapshot("/etc/default", "/boot", "/var/lib/gpuhost", "/run/gpuhost")
        lock = "/run/gpuhost/lock"
        staged.pop(lock, None), again.pop(lock, None)
        self.assertEqual(again, staged)
        self.assertEqual(gpuhost(BINARY, "verify", "-f", self.file).returncode, 2)
        self.assertEqual(gpuhost(BINARY, "status", "--detailed-exitcode").returncode, 3)

    def test_drift_is_told_from_intent_and_mended(self):
        self.apply(3)
        DROP_IN.unlink()
        subprocess.run(["/usr/sbin/update-grub"], check=True)
        plan, _ = plan_of(BINARY, "-f", self.file)
        self.assertIn("kernel.parameters[gpuhost_test.mark]", [entry["address"] for entry in plan["drift"]])
        self.apply(3)
        self.assertIn("gpuhost_test.mark=1", GRUB_CFG.read_text())

    def test_given_back_when_the_document_drops_it(self):
        before = GRUB_CFG.read_text()
        self.apply(3)
        self.file.write_text(DROPPED)
        self.apply(0)
        self.assertEqual(GRUB_CFG.read_text().split(), before.split())
        self.assertFalse(DROP_IN.exists())

    def test_a_command_that_fails_is_reported_and_leaves_its_output(self):
        Path("/usr/sbin/update-grub").write_text("#!/bin/sh\necho 'no space left on /boot' >&2\nexit 1\n")
        done = gpuhost(BINARY, "apply", "-f", self.file, "--yes")
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        self.assertIn("no space left on /boot", done.stdout + done.stderr)
        self.assertFalse(DROP_IN.exists(), "undone")

    def test_a_command_that_does_nothing_and_says_all_is_well_is_caught(self):
        Path("/usr/sbin/update-grub").write_text("#!/bin/sh\nexit 0\n")
        done = gpuhost(BINARY, "apply", "-f", self.file, "--yes")
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        self.assertIn("reads otherwise", done.stdout + done.stderr)

    def test_a_saved_plan_is_applied_once(self):
        saved = Path("/etc/reviewed.plan")
        self.assertEqual(gpuhost(BINARY, "plan", "-f", self.file, "--out", saved).returncode, 0)
        self.file.unlink()
        for expected in (3, 6):
            done = gpuhost(BINARY, "apply", saved, "--yes")
            self.assertEqual(done.returncode, expected, done.stdout + done.stderr)
        self.assertIn("gpuhost_test.mark=1", GRUB_CFG.read_text())

    def test_a_local_yaml_that_others_can_write_ends_the_run(self):
        limits = Path("/etc/gpuhost/local.yaml")
        limits.parent.mkdir(exist_ok=True)
        limits.write_text("apiVersion: gpuhost/v1\nkind: HostLimits\ndisruption: none\n")
        limits.chmod(0o664)
        done = gpuhost(BINARY, "apply", "-f", self.file, "--yes")
        self.assertEqual(done.returncode, 77, done.stdout + done.stderr)
        self.assertIn("cannot trust /etc/gpuhost/local.yaml", done.stderr)
        self.assertFalse(DROP_IN.exists())
        limits.chmod(0o644)
        self.apply(3)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter_namespace()
    BINARY = sys.argv.pop(1)
    unittest.main()
