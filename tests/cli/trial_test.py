"""What is tried, and confirmed or not."""
import json
import sys
import unittest

import cli_test
from cli_test import CommandTest, MODULE, PARAMETER, STOP, STOP_ALLOWED, document

TEXT = document(MODULE)
OTHER = TEXT.replace("name: test", "name: other") + "units: {}\n"
JOURNAL = "journal.jsonl"


class Trials(CommandTest):
    """The simulator's time stands still between runs, so that only its boot ends a trial."""

    def setUp(self):
        super().setUp()
        self.before = self.host.read_text()

    def tried(self, text=TEXT):
        return self.apply(text, "--try", "5m", expect=0)

    def verb(self, *verb, expect=0):
        return self.run_gpuhost(*verb, "--host", self.host, expect=expect)

    def boot(self):
        """As if somebody had pressed the button; the simulator is booted by runs only."""
        text = self.host.read_text()
        where = text.index("random/boot_id:") + len("random/boot_id: ")
        self.assertNotEqual(text[where:where + 4], "beef")
        self.host.write_text(text[:where] + "beef" + text[where + 4:])

    def test_what_is_confirmed_stays(self):
        self.assertIn("It is undone in 5 min, or at a reboot, unless 'gpuhost confirm' keeps it.", self.tried().stdout)
        status = self.verb("status")
        self.assertIn("waits to be confirmed, for 5 min more", status.stdout)
        self.assertIn("AwaitingConfirmation", status.stdout)
        self.assertIn("Confirmed", self.verb("confirm").stdout)
        self.assertNotIn(JOURNAL, self.host.read_text())
        self.assertIn("Idle", self.verb("status").stdout)
        self.on_host("verify", TEXT, expect=0)
        self.assertIn("Nothing waits", self.verb("confirm").stdout)
        self.assertIn("nothing to recover", self.verb("recover").stdout)

    def test_recover_undoes_it_and_it_cannot_be_confirmed_then(self):
        self.tried()
        self.assertIn("undone: load module vfio_pci", self.verb("recover").stdout)
        self.on_host("verify", TEXT, expect=2)
        self.assertIn("was tried and is undone", self.verb("confirm", expect=1).stderr)

    def test_the_timer_undoes_only_what_is_overdue(self):
        self.tried()
        self.assertIn("waits to be confirmed, for 5 min more", self.verb("recover", "--overdue", expect=75).stderr)
        self.boot()
        self.assertIn("undone: load module vfio_pci", self.verb("recover", "--overdue").stdout)

    def test_another_run_meanwhile_is_75_and_names_it(self):
        self.tried()
        self.assertIn("the run of document 'test'", self.apply(OTHER, expect=75).stderr)
        self.assertIn("waits to be confirmed", self.verb("release", "--yes", expect=75).stderr)
        self.assertIn("'gpuhost confirm' keeps it", self.on_host("plan", OTHER).stdout)

    def test_a_boot_undoes_it_and_its_units_do_not_apply_it_again(self):
        self.tried()
        self.boot()
        self.assertIn("was not confirmed in time", self.verb("status").stdout)
        self.assertIn("its time is over", self.verb("confirm", expect=1).stderr)
        undone = self.apply(TEXT, "--scope", "runtime", expect=7)
        self.assertIn("undone: load module vfio_pci", undone.stdout)
        self.assertIn("document 'test' was tried and not confirmed", undone.stdout)
        self.assertIn("no boot unit applies it", self.verb("status").stdout)
        self.apply(OTHER, "--scope", "runtime", expect=0)
        self.apply(TEXT, expect=0)  # by a person
        self.assertNotIn("no boot unit applies it", self.verb("status").stdout)
        self.apply(TEXT, "--scope", "runtime", expect=0)

    def test_without_a_change_there_is_nothing_to_confirm(self):
        self.apply(TEXT, expect=0)
        self.assertNotIn("confirm", self.tried().stdout)
        self.assertIn("Nothing waits", self.verb("confirm").stdout)

    def test_what_a_boot_would_have_to_finish_is_not_tried(self):
        refused = self.apply(document("policy: {disruption: reboot}\n", PARAMETER), "--try", "5m", expect=7)
        self.assertIn("cannot try what needs a reboot", refused.stderr)
        self.assertEqual(self.host.read_text(), self.before)

    def test_a_trial_that_is_refused_leaves_nothing(self):
        self.apply(document(STOP), "--try", "5m", expect=7)
        self.assertEqual(self.host.read_text(), self.before)

    def test_json_tells_the_time_and_the_end(self):
        done = self.apply(document(STOP_ALLOWED, STOP), "--try", "2h", "-o", "json", expect=0)
        self.assertEqual(json.loads(done.stdout.splitlines()[-1])["confirm_within_s"], 7200)
        status = json.loads(self.verb("status", "-o", "json").stdout)
        self.assertEqual(status["interrupted"]["to_confirm_s"], 7200)
        self.assertEqual(list(status["unconfirmed"]), ["test"])
        self.assertEqual(json.loads(self.verb("confirm", "-o", "json").stdout.splitlines()[-1])["result"], "confirmed")

    def test_times_that_are_none_are_64(self):
        for time in ("5", "0s", "25h", "soon", ""):
            with self.subTest(time=time):
                self.apply(TEXT, "--try", time, expect=64)
        self.apply(TEXT, "--try", "5m", "--no-rollback", expect=64)
        self.apply(TEXT, "--try", "5m", "--scope", "runtime", expect=64)

    def test_a_directory_has_nobody_who_would_undo_it(self):
        root = self.directory / "root"
        for folder in ("etc/modprobe.d", "lib/modules", "var/lib"):
            (root / folder).mkdir(parents=True)
        text = self.write(document("kernel: {modules: {nouveau: {state: blocked}}}\n"))
        refused = self.run_gpuhost("apply", "-f", text, "--root", root, "--yes", "--try", "5m", expect=69)
        self.assertIn("nobody would undo it: only the running system", refused.stderr)
        self.assertEqual(list((root / "etc/modprobe.d").iterdir()), [])


if __name__ == "__main__":
    cli_test.GPUHOST = sys.argv.pop(1)
    unittest.main()
