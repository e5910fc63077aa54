"""What a run leaves for after a reboot, and how the boot units go on with it."""
import pathlib
import shutil
import sys
import unittest

import cli_test
from cli_test import CommandTest

EXAMPLES = None
RECORD = "pending.json"
AFTER_THE_REBOOT = "bind GPU 0000:41:00.0"


class PendingPhases(CommandTest):
    """A document that needs a reboot, of which another document's run takes care."""

    def setUp(self):
        super().setUp()
        shutil.copy(EXAMPLES / "hosts/fresh-debian.yaml", self.host)
        self.text = (EXAMPLES / "fresh-debian/minimal.yaml").read_text()

    def staged(self):
        return self.apply(self.text, expect=3)

    def boot(self):
        """The simulator is booted by runs only."""
        self.apply("apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: other}\npolicy: {disruption: reboot}\n"
                   "kernel: {parameters: {loglevel: \"3\"}}\n", "--reboot", expect=0)

    def boot_with_the_same_line(self, number):
        before = self.host.read_text()
        boot_id = f"  /proc/sys/kernel/random/boot_id: {number:08}-2222-4333-8444-555555555555"
        lines = [boot_id if "random/boot_id" in line else line for line in before.splitlines()]
        self.host.write_text("\n".join(lines) + "\n")
        self.assertNotEqual(self.host.read_text(), before)

    def go_on(self, *arguments, expect=0):
        return self.apply(self.text, "--scope", "runtime", *arguments, expect=expect)

    def status(self, expect):
        return self.run_gpuhost("status", "--host", self.host, "--detailed-exitcode", expect=expect).stdout

    def test_the_boot_units_finish_what_was_approved(self):
        self.text += 'gpus: [{match: {address: "0000:41:00.0"}, mode: passthrough}]\n'
        self.host.write_text(self.host.read_text().replace("    boot_vga:", "    driver_override: (null)\n    boot_vga:"))
        self.assertIn(AFTER_THE_REBOOT, self.staged().stdout)
        self.assertIn("is gone on with after a reboot", self.status(3))
        self.boot()
        self.assertIn("is to be gone on with in this boot (tried in 0 of 3)", self.status(3))
        done = self.apply(self.text, "--scope", "devices", expect=0)
        self.assertIn("goes on with the run that ended at the last reboot", done.stdout)
        self.assertIn("done: " + AFTER_THE_REBOOT, done.stdout)
        self.assertIn("(tried in 1 of 3)", self.status(3))
        self.go_on()
        self.assertNotIn(RECORD, self.host.read_text())
        self.assertNotIn("gone on with", self.status(0))

    def test_a_boot_with_the_old_command_line_ends_the_trial(self):
        self.staged()
        self.boot_with_the_same_line(1)
        self.assertIn("the last boot did not try the new boot entries", self.go_on(expect=7).stdout)

    def test_before_the_reboot_they_do_what_they_always_do(self):
        self.staged()
        self.assertNotIn("goes on with", self.go_on().stdout)
        self.assertIn(RECORD, self.host.read_text())

    def test_a_document_that_was_changed_is_not_gone_on_with(self):
        self.staged()
        self.boot()
        self.text += "units: {}\n"
        self.assertIn("the document has changed since its last run ended at a reboot", self.go_on().stdout)
        self.assertNotIn(RECORD, self.host.read_text())

    def test_a_boot_that_does_not_bring_it_is_counted_and_given_up(self):
        without_trial = [line for line in self.host.read_text().splitlines() if "grub-editenv" not in line]
        self.host.write_text("\n".join(without_trial) + "\n")
        self.staged()
        for boot in range(1, 5):
            self.boot_with_the_same_line(boot)
            done = self.go_on(expect=3 if boot < 4 else 1)
        self.assertIn("was gone on with in 3 boots and is not done", done.stdout)
        self.assertIn("apply it by hand", self.status(3))

    def test_the_record_of_a_newer_gpuhost_is_6(self):
        self.host.write_text(self.host.read_text().replace(
            "files:\n", "files:\n  /var/lib/gpuhost/pending.json: '{\"format_version\": 2}'\n", 1))
        self.go_on(expect=6)
        self.status(6)


if __name__ == "__main__":
    cli_test.GPUHOST, EXAMPLES = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
