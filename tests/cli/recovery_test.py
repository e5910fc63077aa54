"""Runs that are killed or find no room, and what `recover` and the next apply make of them."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

GPUHOST = None
KILL_AT = None  # the library that kills

DOCUMENT = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: image}
kernel:
  parameters: {iommu: pt, intel_iommu: "on"}
  modules:
    nouveau: {state: blocked}
    nvidiafb: {state: blocked}
"""

MOMENTS = 200
MOST_CALLS = 1000  # that change a file; a run that makes more does not end


def at_call(call, **how):
    """The environment in which gpuhost gets a signal at a call, see kill_at.cpp."""
    return {"LD_PRELOAD": KILL_AT, "KILL_AT": str(call), "ASAN_OPTIONS": "verify_asan_link_order=0"} | how


class RootTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.document = self.directory / "document.yaml"
        self.document.write_text(DOCUMENT)
        self.root = self.directory / "root"

    def fresh_root(self):
        self.root.mkdir(exist_ok=True)
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for directory in ("etc/modprobe.d", "etc/default/grub.d", "lib/modules", "var/lib", "run"):
            (self.root / directory).mkdir(parents=True)
        (self.root / "etc/hostname").write_text("image\n")
        (self.root / "etc/default/grub").write_text('GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n')

    def gpuhost(self, verb, *arguments, expect=None, environment=None):
        done = subprocess.run([GPUHOST, verb, "--root", self.root, *map(str, arguments)], capture_output=True,
                              encoding="utf-8", stdin=subprocess.DEVNULL, timeout=60, check=False,
                              env=os.environ | (environment or {}))
        if expect is not None:
            self.assertEqual(done.returncode, expect, f"{verb} {arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def apply(self, *arguments, **more):
        return self.gpuhost("apply", "-f", self.document, "--yes", *arguments, **more)

    def configuration(self):
        """Without what atomic replacement was killed over: nothing reads a hidden file there."""
        return {str(path.relative_to(self.root)): path.read_text()
                for path in (self.root / "etc").rglob("*") if path.is_file() and not path.name.startswith(".")}



class KilledRuns(RootTest):
    def killed_at(self, call):
        """Applies on a fresh root; whether the run was killed."""
        self.fresh_root()
        done = self.apply(environment=at_call(call))
        self.assertIn(done.returncode, (0, -signal.SIGKILL), done.stderr)
        return done.returncode != 0

    def test_wherever_a_run_is_killed_it_is_undone_or_done(self):
        self.fresh_root()
        before = self.configuration()
        self.apply(expect=0)
        after = self.configuration()
        moments = undone = 0
        while moments < MOST_CALLS and self.killed_at(moments + 1):
            moments += 1
            with self.subTest(call=moments):
                recovered = self.gpuhost("recover", expect=0)
                self.assertIn(self.configuration(), (before, after))
                undone += "Recovered" in recovered.stdout
                self.assertFalse((self.root / "var/lib/gpuhost/journal.jsonl").exists())
                self.apply(expect=0)
                self.assertEqual(self.configuration(), after)
        self.assertGreater(undone, 20)
        self.assertLess(moments, MOST_CALLS)

    def test_killed_at_random_moments_it_is_undone_or_done(self):
        seed = int(os.environ.get("GPUHOST_SEED", "1"))
        random_moments = random.Random(seed)
        self.fresh_root()
        before = self.configuration()
        started = time.monotonic()
        self.apply(expect=0)
        longest = time.monotonic() - started
        after = self.configuration()
        killed = 0
        for kill in range(MOMENTS):
            self.fresh_root()
            run = subprocess.Popen([GPUHOST, "apply", "--root", self.root, "-f", self.document, "--yes"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                run.wait(random_moments.uniform(0, longest))
            except subprocess.TimeoutExpired:
                run.kill()
            killed += run.wait(60) == -signal.SIGKILL
            with self.subTest(seed=seed, kill=kill):
                self.gpuhost("recover", expect=0)
                self.assertIn(self.configuration(), (before, after))
                self.apply(expect=0)
                self.assertEqual(self.configuration(), after)
        self.assertGreater(killed, MOMENTS // 10)

    def interrupted(self):
        """A root with the journal of a killed run."""
        for call in range(1, MOST_CALLS):
            self.assertTrue(self.killed_at(call))
            journal = self.root / "var/lib/gpuhost/journal.jsonl"
            if journal.exists() and '"end"' in journal.read_text():
                return
        self.fail("no run left a journal with a step that is done")

    def test_the_next_apply_undoes_first_and_goes_on(self):
        self.interrupted()
        self.assertIn("was interrupted", self.gpuhost("status", expect=0).stdout)
        self.assertIn("has not ended", self.gpuhost("plan", "-f", self.document, expect=0).stdout)
        done = self.apply("-o", "json", expect=0)
        kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
        self.assertEqual(kinds[:2], ["version", "recovery_start"])
        self.assertLess(kinds.index("rollback_step_complete"), kinds.index("recovery_complete"))
        self.assertLess(kinds.index("recovery_complete"), kinds.index("plan"))
        self.gpuhost("verify", "-f", self.document, expect=0)
        self.assertIsNone(json.loads(self.gpuhost("status", "-o", "json", expect=0).stdout)["interrupted"])

    def test_recover_tells_what_it_has_undone_and_has_nothing_to_do_twice(self):
        self.interrupted()
        done = self.gpuhost("recover", expect=0)
        self.assertIn("undone:", done.stdout)
        self.assertIn("Recovered: ", done.stdout)
        self.assertIn("RunInterrupted", self.gpuhost("status", expect=0).stdout)
        self.assertIn("nothing to recover", self.gpuhost("recover", expect=0).stdout)
        events = [json.loads(line) for line in self.gpuhost("recover", "-o", "json", expect=0).stdout.splitlines()]
        self.assertEqual([event["type"] for event in events], ["version", "summary"])
        self.assertEqual(events[-1]["result"], "nothing_to_recover")

    def test_the_journal_of_a_newer_gpuhost_is_6_and_stays(self):
        self.fresh_root()
        journal = self.root / "var/lib/gpuhost/journal.jsonl"
        journal.parent.mkdir()
        journal.write_text('{"record":"run","format_version":99}\n')
        for verb in (("recover",), ("status",), ("plan", "-f", self.document), ("apply", "-f", self.document, "--yes")):
            with self.subTest(verb=verb):
                self.gpuhost(*verb, expect=6)
        self.assertIn("99", journal.read_text())


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a file system")
class FullDisk(RootTest):
    """/var/lib and /etc on a file system without room for all that a run writes."""

    PAGE = 4096

    def setUp(self):
        super().setUp()
        self.root.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={64 * self.PAGE}", "tmpfs", self.root],
                                 capture_output=True, encoding="utf-8", check=False)
        if mounted.returncode != 0:
            self.skipTest(f"no file system can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", self.root], check=True)

    def leave_room(self, pages):
        status = os.statvfs(self.root)
        (self.root / "ballast").write_bytes(bytes((status.f_bavail - pages) * self.PAGE))

    def test_a_run_without_room_leaves_all_as_it_was_or_says_what_holds(self):
        codes = []
        for pages in range(12):
            with self.subTest(pages=pages):
                self.fresh_root()
                before = self.configuration()
                self.leave_room(pages)
                done = self.apply()
                codes.append(done.returncode)
                self.assertIn(done.returncode, (0, 1, 4, 5), done.stderr)
                if done.returncode in (1, 4):
                    self.assertEqual(self.configuration(), before)
                if done.returncode == 5:
                    self.assertRegex(done.stdout, "holds:|Done:")
                if done.returncode != 0:
                    self.assertIn("No space left", done.stdout + done.stderr)
                (self.root / "ballast").unlink()
                self.gpuhost("recover", expect=0)
                self.apply(expect=0)
                self.gpuhost("verify", "-f", self.document, expect=0)
        self.assertIn(0, codes)
        self.assertTrue({1, 4} & set(codes))


if __name__ == "__main__":
    GPUHOST = sys.argv.pop(1)
    KILL_AT = sys.argv.pop(1)
    unittest.main()
