"""gpuhost as root on the live machine, in a private mount namespace so that the machine itself stays as it is: the
kernel parameter drop-in and the boot loader's command, through the real adapters for files and commands.

usage: mount_namespace_test.py GPUHOST
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from journald import CHANGE_DONE, CHANGE_FAILED, CHANGE_UNDONE, RUN_ENDED, RUN_STARTED, Journald
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
        # A file system of one kind, as of a real host: /proc/locks does not name locks on an overlay by what stat says.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", "/run"], check=True)
        for path in ("/etc", "/boot", "/usr/sbin", "/var/lib"):
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

    def test_while_it_runs_the_status_says_at_what(self):
        Path("/usr/sbin/update-grub").write_text(
            UPDATE_GRUB + f"cp /run/gpuhost/status.json /run/then.json\n{BINARY} status > /run/then.txt\n")
        self.apply(3)
        then = json.loads(Path("/run/then.json").read_text())
        conditions = {one["type"]: one for one in then["conditions"]}
        self.assertEqual((conditions["Progressing"]["status"], conditions["Progressing"]["reason"]), ("True", "Running"))
        self.assertEqual(conditions["InSync"]["status"], "False")
        self.assertEqual((then["run"]["verb"], then["run"]["document"]), ("apply", "namespace"))
        self.assertLess(then["run"]["done"], then["run"]["steps"])
        self.assertIn("rebuilding the boot entries", Path("/run/then.txt").read_text())
        self.assertRegex(Path("/run/then.txt").read_text(), "Run lock: held by pid [0-9]+, '.*gpuhost apply")
        status = json.loads(gpuhost(BINARY, "status", "-o", "json").stdout)["status"]
        self.assertNotIn("run", status)
        self.assertEqual({one["type"]: one["reason"] for one in status["conditions"]}["Progressing"], "WaitingForReboot")
        # Somebody killed the run: nobody holds the lock, and so nothing is under way.
        Path("/run/gpuhost/status.json").write_text(json.dumps(then))
        status = json.loads(gpuhost(BINARY, "status", "-o", "json").stdout)["status"]
        self.assertEqual({one["type"]: one["status"] for one in status["conditions"]}["Progressing"], "False")

    def test_each_change_is_told_to_the_journal_with_who_made_it(self):
        journald = Journald()
        self.addCleanup(journald.socket.close)
        plan, _ = plan_of(BINARY, "-f", self.file)
        self.assertEqual(journald.entries(), [], "who only looks changes nothing")
        self.apply(3)
        entries = journald.entries()
        self.assertEqual((entries[0]["MESSAGE_ID"], entries[-1]["MESSAGE_ID"]), (RUN_STARTED, RUN_ENDED))
        self.assertEqual((entries[-1]["GPUHOST_RESULT"], entries[-1]["GPUHOST_EXIT_CODE"]), ("reboot_required", "3"))
        changes = [entry for entry in entries if entry["MESSAGE_ID"] == CHANGE_DONE]
        self.assertEqual([change["GPUHOST_ADDRESS"] for change in changes],
                         [change["address"] for change in plan["changes"]])
        for change in changes:
            self.assertEqual((change["GPUHOST_DOCUMENT"], change["GPUHOST_DOCUMENT_SHA256"], change["GPUHOST_PLAN_ID"]),
                             ("namespace", plan["desired"]["sha256"], plan["plan_id"]))
            self.assertEqual((change["GPUHOST_UID"], change["GPUHOST_OUTCOME"]), ("0", "done"))
            self.assertRegex(change["MESSAGE"], ": done, by user 0")
        self.apply(3)
        self.assertNotIn(CHANGE_DONE, [entry["MESSAGE_ID"] for entry in journald.entries()])

    def test_the_journal_hears_of_what_failed_and_was_undone(self):
        journald = Journald()
        self.addCleanup(journald.socket.close)
        Path("/usr/sbin/update-grub").write_text("#!/bin/sh\necho 'no space left on /boot' >&2\nexit 1\n")
        self.apply(4)
        entries = journald.entries()
        failed = [entry for entry in entries if entry["MESSAGE_ID"] == CHANGE_FAILED]
        self.assertEqual(len(failed), 1, entries)
        self.assertIn("no space left on /boot", failed[0]["MESSAGE"])
        undone = [entry["GPUHOST_ADDRESS"] for entry in entries if entry["MESSAGE_ID"] == CHANGE_UNDONE]
        done = [entry["GPUHOST_ADDRESS"] for entry in entries if entry["MESSAGE_ID"] == CHANGE_DONE]
        self.assertLessEqual(set(done), set(undone))
        self.assertEqual((entries[-1]["PRIORITY"], entries[-1]["GPUHOST_RESULT"]), ("3", "undone"))

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
