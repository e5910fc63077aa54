"""Signals: the first ends a run at a safe point, the second at once; and runs beside each other."""
import json
import os
import signal
import subprocess
import sys
import unittest

import recovery_test
from recovery_test import MOST_CALLS, RootTest, at_call

OTHER = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: other}
kernel: {modules: {i2c_dev: {state: blocked}}}
"""


def summary(done):
    event = json.loads(done.stdout.splitlines()[-1])
    assert event["type"] == "summary"
    return {key: value for key, value in event.items() if key != "timestamp"}


class Interrupted(RootTest):
    def setUp(self):
        super().setUp()
        self.fresh_root()
        self.before = self.configuration()
        self.apply(expect=0)
        self.after = self.configuration()

    def has_journal(self):
        return (self.root / "var/lib/gpuhost/journal.jsonl").exists()

    def signalled(self, call, which=signal.SIGINT, times=1):
        """Applies on a fresh root; the signal comes at `times` calls from `call` on."""
        self.fresh_root()
        return self.apply("-o", "json", environment=at_call(call, KILL_WITH=str(int(which)), KILL_TIMES=str(times)))

    def calls_of_a_run(self):
        """All calls up to the one that no signal comes at any more."""
        for call in range(1, MOST_CALLS):
            self.fresh_root()
            done = self.apply(environment=at_call(call))
            if done.returncode == 0:
                return call - 1
        self.fail("the run does not end")

    def test_the_first_signal_ends_it_at_a_safe_point_and_the_second_at_once(self):
        safe = [self.before, self.after]
        ends = set()
        calls = self.calls_of_a_run()
        self.assertGreater(calls, 20)
        for call in range(1, calls + 1):
            with self.subTest(call=call, signals=1):
                done = self.signalled(call)
                ends.add(done.returncode)
                self.assertIn(done.returncode, (0, 130), done.stderr)
                self.assertEqual(summary(done)["exit_code"], done.returncode)
                self.assertEqual(summary(done)["result"], {0: "converged", 130: "interrupted"}[done.returncode])
                self.assertFalse(self.has_journal(), "a safe point leaves nothing to recover")
                if self.configuration() not in safe:
                    safe.append(self.configuration())
                    self.assertIn("nothing to recover", self.gpuhost("recover", expect=0).stdout)
                    self.apply(expect=0)
                    self.assertEqual(self.configuration(), self.after)
        self.assertEqual(ends, {0, 130})
        self.assertGreater(len(safe), 2, "some safe points lie between the first and the last step")
        for call in range(1, calls, 2):
            with self.subTest(call=call, signals=2):
                done = self.signalled(call, times=2)
                self.assertEqual(done.returncode, 130, done.stderr)
                self.gpuhost("recover", expect=0)
                self.assertIn(self.configuration(), safe)

    def test_sigterm_is_143(self):
        journals = 0
        for call in range(6, 19, 4):
            with self.subTest(call=call):
                done = self.signalled(call, signal.SIGTERM)
                self.assertEqual(done.returncode, 143)
                self.assertEqual(summary(done)["exit_code"], 143)
                self.assertEqual(self.signalled(call, signal.SIGTERM, times=2).returncode, 143)
                journals += self.has_journal()
                self.gpuhost("recover", expect=0)
                self.apply(expect=0)
        self.assertGreater(journals, 0, "the second signal has ended a run in the middle")

    def test_status_tells_that_a_run_was_interrupted(self):
        self.assertEqual(self.signalled(10).returncode, 130)
        self.assertIn("Interrupted", self.gpuhost("status", expect=0).stdout)


class SideBySide(RootTest):
    def test_the_summary_is_the_same_whatever_the_interleaving(self):
        seen = []
        for _ in range(15):
            self.fresh_root()
            one = summary(self.apply("-o", "json", expect=0)), self.configuration()
            if one not in seen:
                seen.append(one)
        self.assertEqual(len(seen), 1, seen)

    def test_while_a_run_is_under_way_another_changes_nothing(self):
        other = self.directory / "other.yaml"
        other.write_text(OTHER)
        stopped = 0
        for call in range(1, MOST_CALLS, 8):
            self.fresh_root()
            command = [recovery_test.GPUHOST, "apply", "--root", self.root, "-f", self.document, "--yes"]
            first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                                     stdin=subprocess.DEVNULL,
                                     env=os.environ | at_call(call, KILL_WITH=str(int(signal.SIGSTOP))))
            self.addCleanup(lambda process=first: process.returncode is None and process.kill())
            state = os.waitpid(first.pid, os.WUNTRACED)[1]
            if not os.WIFSTOPPED(state):
                self.assertEqual(os.waitstatus_to_exitcode(state), 0)
                first.returncode = 0
                first.communicate()
                break
            stopped += 1
            with self.subTest(call=call):
                there = self.configuration()
                for verb in (("apply", "-f", other, "--yes"), ("recover",), ("release", "--yes")):
                    done = self.gpuhost(*verb, expect=75)
                    self.assertIn(f"pid {first.pid}", done.stderr)
                self.assertEqual(self.configuration(), there)
                first.send_signal(signal.SIGCONT)
                first.communicate(timeout=60)
                self.assertEqual(first.returncode, 0)
                self.gpuhost("apply", "-f", other, "--yes", expect=0)
                for document in (self.document, other):
                    self.gpuhost("verify", "-f", document, expect=0)
        self.assertGreater(stopped, 5)


if __name__ == "__main__":
    recovery_test.GPUHOST = sys.argv.pop(1)
    recovery_test.KILL_AT = sys.argv.pop(1)
    unittest.main()
