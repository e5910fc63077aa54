"""Black-box tests of the gpuhost command: what a user sees, byte for byte and code for code."""
import fcntl
import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

GPUHOST = None
SCHEMAS = None
HOST = pathlib.Path(__file__).with_name("host.yaml")

HEAD = "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: test%s}\n"
STOP_ALLOWED = "policy: {disruption: stop-units}\n"
PARAMETER = "kernel: {parameters: {iommu: pt}}\n"
MODULE = "kernel: {modules: {vfio-pci: {state: loaded}}}\n"
STOP = "units: {ollama.service: {state: inactive}}\n"
GUEST_LICENSE = "vms: [{name: desk, license: {server: lic.example.org, feature: vws}}]\n"  # not supported yet
IN_SYNC = 'kernel: {parameters: {quiet: {state: present}}}\n'


def document(*parts, hosts=""):
    return HEAD % hosts + "".join(parts)


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.host = self.directory / "recorded.yaml"
        shutil.copy(HOST, self.host)

    def write(self, text, name="document.yaml"):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def run_gpuhost(self, *arguments, expect=None, **more):
        done = subprocess.run([GPUHOST, *map(str, arguments)], capture_output=True, encoding="utf-8",
                              stdin=subprocess.DEVNULL, timeout=60, check=False, **more)
        if expect is not None:
            self.assertEqual(done.returncode, expect, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def on_host(self, verb, text, *arguments, expect=None):
        return self.run_gpuhost(verb, "-f", self.write(text), "--host", self.host, *arguments, expect=expect)

    def apply(self, text, *arguments, expect=None):
        return self.on_host("apply", text, "--yes", *arguments, expect=expect)


class CommandLine(CommandTest):
    def test_unknown_verb_is_64_with_a_suggestion(self):
        self.assertIn("did you mean 'apply'?", self.run_gpuhost("aply", expect=64).stderr)

    def test_unknown_option_is_64_with_a_suggestion(self):
        self.assertIn("did you mean '--detailed-exitcode'?",
                      self.run_gpuhost("plan", "--detailed-exitcod", expect=64).stderr)

    def test_misuse_is_64(self):
        for arguments in ([], ["plan", "-f"], ["plan", "-o", "jsno"], ["apply", "--allow", "everything"],
                          ["plan", "--missing", "perhaps"], ["plan", "--host", "a", "--root", "b"],
                          ["apply", "--host-out", "x"], ["apply", "--root", "/x", "--reboot"], ["plan", "document"],
                          ["schema", "documnet"], ["completion", "fish"], ["fleet", "plan"], ["fleet", "apply", "d"], ["import", "nova"],
                          ["import", "novae", "f"]):
            with self.subTest(arguments=arguments):
                self.assertNotEqual(self.run_gpuhost(*arguments, expect=64).stderr, "")

    def test_an_empty_value_is_64_and_never_means_the_live_host(self):
        path = self.write(document(PARAMETER))
        for arguments in (["plan", "-f", path, "--host", ""], ["plan", "-f", path, "--root", ""], ["plan", "-f", ""],
                          ["observe", "--record", ""], ["apply", "-f", path, "--host", self.host, "--yes", "--allow", ""],
                          ["apply", "-f", path, "--host", self.host, "--yes", "--host-out", ""]):
            with self.subTest(arguments=arguments):
                before = self.host.read_bytes()
                self.assertIn("empty value", self.run_gpuhost(*arguments, expect=64).stderr)
                self.assertEqual(self.host.read_bytes(), before)

    def test_common_flags_stand_before_or_after_the_verb(self):
        arguments = ("-f", self.write(document(PARAMETER)), "--host", self.host)
        after = self.run_gpuhost("plan", *arguments, "-v", "--no-color", expect=0)
        self.assertEqual(self.run_gpuhost("-v", "--no-color", "plan", *arguments, expect=0).stdout, after.stdout)

    def test_a_root_that_is_no_directory_is_64(self):
        for root in (self.directory / "missing", self.host):
            self.run_gpuhost("plan", "-f", self.write(document(PARAMETER)), "--root", root, expect=64)

    def test_help_of_a_verb_that_is_not_there_is_64(self):
        self.assertIn("unknown verb", self.run_gpuhost("frobnicate", "--help", expect=64).stderr)

    def test_no_document_is_64(self):
        self.run_gpuhost("plan", "--host", self.host, expect=64)

    def test_apply_without_terminal_needs_yes(self):
        self.assertIn("--yes", self.on_host("apply", document(PARAMETER), expect=64).stderr)

    def test_help_and_version_go_to_standard_output(self):
        self.assertIn("Examples:", self.run_gpuhost("--help", expect=0).stdout)
        self.assertIn("gpuhost plan -f host.yaml", self.run_gpuhost("plan", "--help", expect=0).stdout)
        self.assertRegex(self.run_gpuhost("--version", expect=0).stdout, r"^gpuhost \d+\.\d+\.\d+\n$")

    def test_completion_is_bash(self):
        script = self.run_gpuhost("completion", "bash", expect=0).stdout
        subprocess.run(["bash", "-n"], input=script, encoding="utf-8", check=True)

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([GPUHOST, "schema", "plan"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)

    def traced(self, *arguments):
        """The paths that a run opens."""
        trace = self.directory / "trace"
        strace = shutil.which("strace")
        if strace is None or subprocess.run([strace, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("strace cannot run here")
        done = subprocess.run([strace, "-f", "-e", "trace=open,openat,execve", "-o", trace, GPUHOST, *arguments],
                              capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})  # it cannot look while traced
        return done.returncode, trace.read_text()

    def test_nothing_is_probed_before_64_and_65(self):
        wrong = self.write(document("gpuz: []\n"))
        for code, arguments in ((64, ["plan", "-f", str(wrong), "--unknown"]), (65, ["plan", "-f", str(wrong)]),
                                (65, ["apply", "-f", str(wrong), "--host", str(self.host), "--yes"]), (64, ["apply", "-f", str(wrong)])):
            with self.subTest(arguments=arguments):
                done, trace = self.traced(*arguments)
                self.assertEqual(done, code)
                for probed in ('"/proc/cmdline', '"/sys', '"/etc/machine-id', '"/run/gpuhost', '"/etc/kernel/cmdline'):
                    self.assertNotIn(probed, trace)


class Documents(CommandTest):
    def test_all_problems_of_all_files_in_one_go(self):
        first = self.write(document("vgpuz: 1\n", "kernel: {modules: {a: {state: gone}}}\n"), "a.yaml")
        second = self.write("metadata: {nam: x}\n", "b.yaml")
        text = self.run_gpuhost("validate", "-f", first, "-f", second, expect=65).stderr
        for expected in (f"{first}:4:1", "vgpuz", f"{first}:5:", f"{second}:1:", "nam"):
            self.assertIn(expected, text)

    def test_validate_lists_problems_as_json(self):
        wrong = self.write(document("vgpuz: 1\n"))
        answer = json.loads(self.run_gpuhost("validate", "-f", wrong, "-o", "json", expect=65).stdout)
        self.assertFalse(answer["valid"])
        self.assertEqual((answer["problems"][0]["line"], answer["problems"][0]["file"]), (4, str(wrong)))

    def test_validate_accepts_what_this_version_cannot_apply_and_says_so(self):
        path = self.write(document(GUEST_LICENSE))
        self.assertIn("not supported by this version", self.run_gpuhost("validate", "-f", path, expect=0).stdout)

    def test_unreadable_documents_are_65(self):
        self.run_gpuhost("plan", "-f", self.directory / "missing.yaml", "--host", self.host, expect=65)
        (self.directory / "empty").mkdir()
        self.run_gpuhost("plan", "-f", self.directory / "empty", "--host", self.host, expect=65)
        self.write("x" * (2 << 20), "large.yaml")
        self.run_gpuhost("plan", "-f", self.directory / "large.yaml", "--host", self.host, expect=65)

    def test_a_fifo_that_nobody_writes_to_is_65_at_once(self):
        fifo = self.directory / "fifo.yaml"
        os.mkfifo(fifo)
        self.run_gpuhost("validate", "-f", fifo, expect=65)
        self.run_gpuhost("plan", "-f", self.write(document(PARAMETER)), "--host", fifo, expect=65)

    def test_a_document_can_come_through_a_pipe(self):
        command = f"sleep 0.1; cat {self.write(document(PARAMETER))}"
        with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE) as writer:
            done = subprocess.run([GPUHOST, "validate", "-f", "/dev/stdin"], stdin=writer.stdout, timeout=60,
                                  capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_missing_host_file_is_65_for_every_verb(self):
        path, missing = self.write(document(PARAMETER)), self.directory / "missing.yaml"
        for arguments in (["plan", "-f", path], ["verify", "-f", path], ["apply", "-f", path, "--yes"], ["observe"],
                          ["export"], ["status"]):
            with self.subTest(arguments=arguments):
                self.run_gpuhost(*arguments, "--host", missing, expect=65)

    def test_an_invalid_host_file_is_65(self):
        self.host.write_text("apiVersion: gpuhost/v1\nkind: Host\nmetadata: {name: x}\nfilez: {}\n")
        self.assertIn("filez", self.on_host("plan", document(PARAMETER), expect=65).stderr)

    def test_a_directory_stands_for_its_yaml_files(self):
        (self.directory / "d").mkdir()
        self.write(document(PARAMETER), "d/a.yaml")
        self.write("kernel: {modules: {vfio: {state: loaded}}}\n", "d/b.yml")
        self.write("not: [a document", "d/c.txt")
        self.write("not: [a document", "d/.a.yaml")
        (self.directory / "d/.#a.yaml").symlink_to("an editor's lock")
        plan = json.loads(self.run_gpuhost("plan", "-f", self.directory / "d", "--host", self.host, "-o", "json",
                                           ).stdout)
        addresses = " ".join(change["address"] for change in plan["changes"])
        self.assertIn("iommu", addresses)
        self.assertIn("vfio", addresses)

    def test_a_document_for_another_host_is_6(self):
        for verb in ("plan", "verify"):
            self.on_host(verb, document(PARAMETER, hosts=", hosts: ['other*']"), expect=6)
        self.apply(document(PARAMETER, hosts=", hosts: ['other*']"), expect=6)
        self.on_host("plan", document(PARAMETER, hosts=", hosts: ['cli-*']"), expect=0)
        self.on_host("plan", document(PARAMETER, hosts=", hosts: ['0123456789abcdef*']"), expect=0)

    def test_what_this_version_cannot_apply_is_7_at_its_key(self):
        text = document(PARAMETER, GUEST_LICENSE)
        planned = self.on_host("plan", text, expect=7)
        self.assertIn("iommu", planned.stdout)
        self.assertRegex(planned.stdout, r"not supported by this version \(.*document\.yaml:5:\d+\)")
        before = self.host.read_bytes()
        self.assertRegex(self.apply(text, expect=7).stderr, r"document\.yaml:5:\d+: not supported by this version")
        self.assertEqual(self.host.read_bytes(), before)
        self.on_host("verify", document(IN_SYNC, GUEST_LICENSE), expect=69)

    def test_a_selector_without_more_is_7_as_it_asks_for_a_gpu(self):
        planned = self.on_host("plan", document("gpus: [{match: {address: '0000:41:00.0'}}]\n"), expect=7)
        self.assertIn("0000:41:00.0 matches no GPU", planned.stdout)
        self.on_host("verify", document("gpus: [{match: {address: '0000:41:00.0'}}]\n"), expect=2)
        skipped = self.on_host("plan", document("gpus: [{match: {address: '0000:41:00.0'}}]\n"), "--missing", "skip",
                               expect=0)
        self.assertIn("Degraded: gpu[0000:41:00.0]", skipped.stdout)

    def test_another_host_comes_before_what_is_not_supported(self):
        self.apply(document("driver: {flavor: none}\n", hosts=", hosts: ['other*']"), expect=6)


class Planning(CommandTest):
    def test_exit_codes(self):
        for code, text, arguments in ((0, document(PARAMETER), []), (2, document(PARAMETER), ["--detailed-exitcode"]),
                                      (0, document(IN_SYNC), ["--detailed-exitcode"]),
                                      (7, document(STOP), []), (7, document(STOP), ["--detailed-exitcode"])):
            with self.subTest(text=text, arguments=arguments):
                self.on_host("plan", text, *arguments, expect=code)

    def test_plans_are_valid_by_the_schema(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        schema = json.loads(self.run_gpuhost("schema", "plan", expect=0).stdout)
        for text in (document(PARAMETER), document(MODULE), document(STOP), document(IN_SYNC),
                     document(STOP_ALLOWED, PARAMETER, STOP), document(GUEST_LICENSE)):
            plan = json.loads(self.on_host("plan", text, "-o", "json").stdout)
            jsonschema.Draft202012Validator(schema).validate(plan)

    def test_the_same_input_prints_the_same_bytes(self):
        for form in ("text", "json", "markdown", "dot", "svg"):
            text = document(STOP_ALLOWED, PARAMETER, STOP)
            self.assertEqual(self.on_host("plan", text, "-o", form, expect=0).stdout,
                             self.on_host("plan", text, "-o", form, expect=0).stdout)

    def test_the_drawing_has_a_box_for_each_step_and_an_arrow_for_each_order(self):
        text = document(STOP_ALLOWED, PARAMETER, STOP)
        drawing = ElementTree.fromstring(self.on_host("plan", text, "-o", "svg", expect=0).stdout)
        plan = json.loads(self.on_host("plan", text, "-o", "json", expect=0).stdout)
        said = " ".join("".join(drawing.itertext()).split())
        for change in plan["changes"]:
            self.assertIn(change["title"], said)
        orders = sum(len(change["requires"]) for change in plan["changes"])
        arrows = [path for path in drawing.iter("{http://www.w3.org/2000/svg}path") if "marker-end" in path.attrib]
        self.assertEqual(len(arrows), orders)  # no order here follows from two others
        self.assertIn("reboot", said)

    def test_the_order_of_entries_does_not_matter(self):
        one = document("kernel: {parameters: {iommu: pt, intel_iommu: 'on'}}\n", STOP_ALLOWED, STOP)
        other = document(STOP, STOP_ALLOWED, "kernel: {parameters: {intel_iommu: 'on', iommu: pt}}\n")
        self.assertEqual(self.on_host("plan", one, "-o", "json", expect=0).stdout,
                         self.on_host("plan", other, "-o", "json", expect=0).stdout)

    def test_never_changes_the_host(self):
        before, status = self.host.read_bytes(), self.host.stat()
        self.on_host("plan", document(PARAMETER), expect=0)
        self.on_host("verify", document(PARAMETER), expect=2)
        self.assertEqual(self.host.read_bytes(), before)
        self.assertEqual((self.host.stat().st_ino, self.host.stat().st_mtime_ns), (status.st_ino, status.st_mtime_ns))

    def test_there_are_no_colours_in_a_pipe(self):
        self.assertNotIn("\x1b", self.on_host("plan", document(STOP), expect=7).stdout)

    def terminal_output(self, *arguments, environment=None):
        master, slave = pty.openpty()
        with subprocess.Popen([GPUHOST, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave,
                              env={**os.environ, "TERM": "xterm", **(environment or {})}) as child:
            os.close(slave)
            output = b""
            try:
                while chunk := os.read(master, 4096):
                    output += chunk
            except OSError:
                pass
            child.wait()
        os.close(master)
        return output

    def test_colours_on_a_terminal_unless_unwanted(self):
        arguments = ["plan", "-f", self.write(document(STOP)), "--host", self.host]
        self.assertIn(b"\x1b[", self.terminal_output(*arguments))
        self.assertNotIn(b"\x1b[", self.terminal_output(*arguments, "--no-color"))
        self.assertNotIn(b"\x1b[", self.terminal_output(*arguments, environment={"NO_COLOR": "1"}))


class Applying(CommandTest):
    def test_stages_exits_3_and_converges_after_the_reboot(self):
        text = document("policy: {disruption: reboot}\n", PARAMETER)
        self.apply(text, expect=3)
        self.assertEqual(self.run_gpuhost("status", "--host", self.host, "--detailed-exitcode").returncode, 3)
        self.assertIn("waits for a reboot", self.on_host("verify", text, expect=2).stdout)
        self.assertIn("/run/reboot-required", self.host.read_text())
        self.apply(text, expect=3)
        self.apply(text, "--reboot", expect=0)
        self.on_host("verify", text, expect=0)
        self.on_host("plan", text, "--detailed-exitcode", expect=0)

    def test_reboots_only_if_the_policy_says_so(self):
        self.apply(document(PARAMETER), "--reboot", expect=3)
        observed = json.loads(self.run_gpuhost("observe", "--host", self.host, "-o", "json", expect=0).stdout)
        self.assertNotIn("iommu=pt", observed["observed"]["kernel_parameters"]["running"])

    def test_the_second_apply_writes_nothing(self):
        text = document(STOP_ALLOWED, STOP)
        self.apply(text, expect=0)
        before, status = self.host.read_bytes(), self.host.stat()
        self.apply(text, expect=0)
        self.assertEqual(self.host.read_bytes(), before)
        self.assertEqual((self.host.stat().st_ino, self.host.stat().st_mtime_ns), (status.st_ino, status.st_mtime_ns))

    def test_host_out_leaves_the_host_file_alone(self):
        before = self.host.read_bytes()
        out = self.directory / "after.yaml"
        self.apply(document(STOP_ALLOWED, STOP), "--host-out", out, expect=0)
        self.assertEqual(self.host.read_bytes(), before)
        self.run_gpuhost("verify", "-f", self.write(document(STOP)), "--host", out, expect=0)

    def test_more_disruption_than_allowed_is_7_and_changes_nothing(self):
        before = self.host.read_bytes()
        self.apply(document(STOP), expect=7)
        self.apply(document(STOP_ALLOWED, STOP), "--allow", "none", expect=7)
        self.assertEqual(self.host.read_bytes(), before)

    def test_allow_never_raises_the_policy(self):
        self.apply(document(STOP), "--allow", "reboot", expect=7)

    def failing(self):
        self.host.write_text(self.host.read_text().replace("{state: active, enabled: true}",
                                                           "{state: active, enabled: true, refusesToStop: true}"))

    def test_a_stop_that_hangs_is_undone(self):
        self.failing()
        done = self.apply(document(STOP_ALLOWED, STOP), expect=4)
        self.assertIn("ollama.service", done.stdout)

    def test_failure_without_change_is_1(self):
        text = self.host.read_text(encoding="utf-8")
        self.host.write_text(text.replace("files:\n", "files:\n  /var/lib: no directory\n", 1), encoding="utf-8")
        done = self.apply(document(PARAMETER), expect=1)
        self.assertIn("the run cannot be recorded", done.stdout)
        self.assertIn("nothing was changed", done.stdout)

    def test_failure_after_changes_is_4_when_all_is_undone(self):
        self.failing()
        text = document(STOP_ALLOWED, "kernel: {parameters: {iommu: pt}}\n",
                        "units: {ollama.service: {enabled: false, state: inactive}}\n")
        done = self.apply(text, expect=4)
        self.assertIn("undone:", done.stdout)
        self.assertIn("the host is as it was before", done.stdout)
        self.assertIn("Degraded            True", self.run_gpuhost("status", "--host", self.host, expect=0).stdout)

    def test_no_rollback_makes_it_1(self):
        self.failing()
        text = document(STOP_ALLOWED, PARAMETER, "units: {ollama.service: {enabled: false, state: inactive}}\n")
        self.apply(text, "--no-rollback", expect=1)

    def test_json_lines_from_version_to_summary(self):
        done = self.apply(document(STOP_ALLOWED, STOP), "-o", "json", expect=0)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        kinds = [event["type"] for event in events]
        self.assertEqual((kinds[0], kinds[1], kinds[-1]), ("version", "plan", "summary"))
        for kind in ("step_start", "step_complete", "verify_result"):
            self.assertIn(kind, kinds)
        self.assertLess(kinds.index("step_start"), kinds.index("step_complete"))
        summary = events[-1]
        self.assertEqual((summary["result"], summary["changed"], summary["exit_code"]), ("converged", True, 0))
        self.assertEqual(summary["reboot_required"], {"required": False, "reasons": []})
        self.assertTrue(all("timestamp" in event for event in events))

    def test_json_lines_tell_of_the_barrier_and_the_reboot(self):
        done = self.apply(document(PARAMETER), "-o", "json", expect=3)
        events = {event["type"]: event for event in map(json.loads, done.stdout.splitlines())}
        self.assertEqual(events["barrier"]["rebooting"], False)
        self.assertEqual(events["summary"]["exit_code"], 3)
        self.assertTrue(events["summary"]["reboot_required"]["required"])
        self.assertIn("kernel.parameters[iommu]", events["summary"]["reboot_required"]["reasons"])

    def test_json_lines_tell_of_a_refusal(self):
        done = self.apply(document(STOP), "-o", "json", expect=7)
        summary = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((summary["result"], summary["exit_code"]), ("refused", 7))

    def test_json_lines_always_end_with_a_summary(self):
        for code, text in ((6, document(PARAMETER, hosts=", hosts: ['other*']")), (65, document("gpuz: []\n")),
                           (7, document(GUEST_LICENSE))):
            with self.subTest(code=code):
                events = [json.loads(line) for line in self.apply(text, "-o", "json", expect=code).stdout.splitlines()]
                self.assertEqual((events[0]["type"], events[-1]["type"]), ("version", "summary"))
                self.assertEqual((events[-1]["result"], events[-1]["changed"]), ("refused", False))
                self.assertEqual(events[-1]["exit_code"], code)

    def test_a_host_that_cannot_be_written_is_no_success(self):
        (self.directory / "taken").mkdir()
        done = self.apply(document(PARAMETER), "--host-out", self.directory / "taken", "-o", "json", expect=1)
        summary = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual(summary["exit_code"], 1)
        self.assertIn("taken", summary["errors"][0])

    def test_what_is_unknown_in_the_end_is_not_converged(self):
        for text, code in (("there is no system bus", 69), ("{reason: not allowed, kind: denied}", 77)):
            shutil.copy(HOST, self.host)
            self.host.write_text(self.host.read_text().replace(
                "  ollama.service: {state: active, enabled: true}", f"  unknown: {text}"))
            for parts in ([STOP], [STOP, "kernel: {modules: {nouveau: {state: blocked}}}\n"]):
                with self.subTest(code=code, parts=parts):
                    done = self.apply(document(*parts), expect=code)
                    self.assertNotIn("is as the document says", done.stdout)
                    self.assertIn("1 field unknown", done.stdout)

    def test_a_reader_who_goes_away_ends_no_run_half_way(self):
        names = [f"a{number}.service" for number in range(60)]
        self.host.write_text(self.host.read_text() + "".join(f"  {name}: {{enabled: true}}\n" for name in names))
        path = self.write(document("units:\n", *[f"  {name}: {{enabled: false}}\n" for name in names]))
        command = [GPUHOST, "apply", "-f", path, "--host", self.host, "--yes", "-o", "json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as run:
            fcntl.fcntl(run.stdout, fcntl.F_SETPIPE_SZ, 4096)
            output = b""
            while b"step_start" not in output:
                output += os.read(run.stdout.fileno(), 512)
            run.stdout.close()
            self.assertIn(b"standard output", run.stderr.read())
        self.assertEqual(run.returncode, 1)
        self.run_gpuhost("verify", "-f", path, "--host", self.host, expect=0)

    def answered(self, answer):
        master, slave = pty.openpty()
        path = self.write(document(STOP_ALLOWED, STOP))
        with subprocess.Popen([GPUHOST, "apply", "-f", path, "--host", self.host], stdin=slave, stdout=slave,
                              stderr=slave) as run:
            os.close(slave)
            os.write(master, answer)
            try:
                while os.read(master, 4096):
                    pass
            except OSError:
                pass
        os.close(master)
        return run.returncode

    def test_only_yes_on_the_terminal_applies(self):
        before = self.host.read_bytes()
        for answer in (b"no\n", b"y\n", b"\n", b"\x04"):
            self.assertEqual((self.answered(answer), self.host.read_bytes()), (1, before), answer)
        self.assertEqual(self.answered(b"yes\n"), 0)
        self.assertNotEqual(self.host.read_bytes(), before)

    def interrupted(self, signal_number):
        """A run that is held up in the middle, since nobody reads what it tells, and then gets a signal."""
        names = [f"a{number}.service" for number in range(60)]
        self.host.write_text(self.host.read_text() + "".join(f"  {name}: {{enabled: true}}\n" for name in names))
        path = self.write(document("units:\n", *[f"  {name}: {{enabled: false}}\n" for name in names]))
        command = [GPUHOST, "apply", "-f", path, "--host", self.host, "--yes", "-o", "json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as run:
            fcntl.fcntl(run.stdout, fcntl.F_SETPIPE_SZ, 4096)
            output = b""
            while b"step_start" not in output:
                output += os.read(run.stdout.fileno(), 512)
            run.send_signal(signal_number)
            output += run.stdout.read()
        return run.returncode, [json.loads(line) for line in output.splitlines()]

    def test_an_interrupted_run_ends_at_a_safe_point(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(signal=number):
                shutil.copy(HOST, self.host)
                returned, events = self.interrupted(number)
                kinds = [event["type"] for event in events]
                self.assertEqual(returned, code)
                self.assertEqual((events[-1]["result"], events[-1]["exit_code"]), ("interrupted", code))
                self.assertEqual(kinds.count("step_start"), kinds.count("step_complete"))
                self.assertLess(kinds.count("step_complete"), 60)
                done = len(events[-1]["done"])
                self.assertEqual(kinds.count("step_complete"), done)
                plan = json.loads(self.run_gpuhost("plan", "-f", self.directory / "document.yaml", "--host", self.host,
                                                   "-o", "json", expect=0).stdout)
                self.assertEqual(len(plan["changes"]), 60 - done)

    def test_a_locked_host_file_is_75_with_the_holder(self):
        with open(self.host, encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            done = self.apply(document(PARAMETER), expect=75)
        self.assertIn(str(self.host), done.stderr)
        self.assertIn(f"pid {os.getpid()}", done.stderr)


class Roots(CommandTest):
    """A directory given by --root."""

    def setUp(self):
        super().setUp()
        self.root = self.directory / "root"
        for directory in ("etc/modprobe.d", "run/gpuhost", "lib/modules"):
            (self.root / directory).mkdir(parents=True)
        (self.root / "etc/hostname").write_text("image\n")
        self.blocked = document("kernel: {modules: {nouveau: {state: blocked}}}\n")

    def tree(self):
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino)
                for path in self.root.rglob("*") if path.name != "lock"}

    def on_root(self, verb, *arguments, expect=None):
        return self.run_gpuhost(verb, "-f", self.write(self.blocked), "--root", self.root, *arguments, expect=expect)

    def test_applies_verifies_and_writes_nothing_the_second_time(self):
        self.on_root("verify", expect=2)
        self.on_root("apply", "--yes", expect=0)
        self.on_root("verify", expect=0)
        self.assertIn("nouveau", (self.root / "etc/modprobe.d/zz-gpuhost.conf").read_text())
        before = self.tree()
        self.on_root("apply", "--yes", expect=0)
        self.assertEqual(self.tree(), before)

    def test_plan_writes_nothing(self):
        before = self.tree()
        self.on_root("plan", expect=0)
        self.assertEqual(self.tree(), before)

    def test_another_hand_is_reported_as_drift(self):
        self.on_root("apply", "--yes", expect=0)
        (self.root / "etc/modprobe.d/zz-gpuhost.conf").unlink()
        self.assertIn("Drift", self.on_root("plan", expect=0).stdout)
        self.assertIn("Drift", self.on_root("verify", expect=2).stdout)

    def test_the_default_document_lies_under_the_root(self):
        (self.root / "etc/gpuhost").mkdir()
        (self.root / "etc/gpuhost/host.yaml").write_text(self.blocked)
        self.assertIn("nouveau", self.run_gpuhost("plan", "--root", self.root, expect=0).stdout)

    def test_a_locked_run_is_75_with_the_holder_before_anything_is_read(self):
        lock = self.root / "run/gpuhost/lock"
        lock.touch()
        with subprocess.Popen(["flock", "--exclusive", lock, "sh", "-c", "echo locked; read _"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            done = self.on_root("apply", "--yes", expect=75)
            status = self.run_gpuhost("status", "--root", self.root, expect=0)
            holder.communicate(b"\n")
        self.assertRegex(done.stderr, "pid [0-9]+, 'flock ")
        self.assertRegex(status.stdout, "held by pid [0-9]+, 'flock ")
        self.assertEqual(done.stdout, "")

    def test_records_of_a_newer_gpuhost_are_6(self):
        (self.root / "var/lib/gpuhost").mkdir(parents=True)
        (self.root / "var/lib/gpuhost/ownership.json").write_text('{"format_version": 99, "documents": {}}')
        self.on_root("plan", expect=6)
        (self.root / "run/gpuhost/status.json").write_text('{"format_version": 99}')
        self.run_gpuhost("status", "--root", self.root, expect=6)
        (self.root / "var/lib/gpuhost/ownership.json").unlink()
        self.on_root("apply", "--yes", expect=6)
        self.assertFalse((self.root / "etc/modprobe.d/zz-gpuhost.conf").exists())


class LiveHost(CommandTest):
    """The machine that runs the tests: nothing here changes it."""

    def trusted_directory(self):
        """One that only root can write, and everybody read."""
        directory = pathlib.Path(tempfile.mkdtemp(dir="/var/lib", prefix="gpuhost-test-"))
        self.addCleanup(shutil.rmtree, directory)
        directory.chmod(0o755)
        return directory

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_apply_refuses_a_document_that_others_can_write(self):
        path = self.write(document(PARAMETER))
        done = self.run_gpuhost("apply", "-f", path, "--yes", expect=77)
        self.assertIn("/tmp" if str(path).startswith("/tmp") else str(path), done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_apply_checks_file_links_and_every_directory(self):
        base = self.trusted_directory()
        path = base / "d" / "document.yaml"
        path.parent.mkdir(mode=0o755)
        path.write_text(document("gpuz: []\n"))  # so that a trusted file ends with 65, before anything is done
        path.chmod(0o644)
        self.run_gpuhost("apply", "-f", path, "--yes", expect=65)
        path.chmod(0o666)
        self.assertIn(str(path), self.run_gpuhost("apply", "-f", path, "--yes", expect=77).stderr)
        path.chmod(0o644)
        path.parent.chmod(0o777)
        self.run_gpuhost("apply", "-f", path, "--yes", expect=77)
        path.parent.chmod(0o755)
        os.chown(path, 1, 0)
        self.run_gpuhost("apply", "-f", path, "--yes", expect=77)
        os.chown(path, 0, 0)
        link = base / "link.yaml"
        link.symlink_to(path)
        self.run_gpuhost("apply", "-f", link, "--yes", expect=77)

    def as_nobody(self, *arguments):
        if os.geteuid() != 0:
            return self.run_gpuhost(*arguments)
        os.chmod(self.directory, 0o755)
        return self.run_gpuhost(*arguments, user=65534, group=65534, extra_groups=[])

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to become somebody else")
    def test_apply_as_ordinary_user_is_77(self):
        path = self.trusted_directory() / "document.yaml"
        path.write_text(document(PARAMETER))
        path.chmod(0o644)
        done = self.as_nobody("apply", "-f", path, "--yes")
        self.assertEqual(done.returncode, 77)
        self.assertIn("only root may", done.stderr)

    def test_observe_and_plan_work_for_an_ordinary_user(self):
        self.assertEqual(self.as_nobody("observe").returncode, 0)
        self.assertIn(self.as_nobody("plan", "-f", self.write(document(PARAMETER))).returncode, (0, 7))

    def test_observe_records_a_host_that_can_be_planned_on(self):
        recorded = self.directory / "live.yaml"
        self.run_gpuhost("observe", "--record", recorded, expect=0)
        path = self.write(document(PARAMETER))
        live = json.loads(self.run_gpuhost("plan", "-f", path, "-o", "json").stdout)
        again = json.loads(self.run_gpuhost("plan", "-f", path, "--host", recorded, "-o", "json").stdout)
        self.assertEqual(again["changes"], live["changes"])

    def test_the_exported_document_of_the_live_host_plans_empty(self):
        path = self.write(self.run_gpuhost("export", expect=0).stdout)
        self.run_gpuhost("plan", "-f", path, "--detailed-exitcode", expect=0)


class Observing(CommandTest):
    def test_prints_every_kind(self):
        observed = json.loads(self.run_gpuhost("observe", "--host", self.host, "-o", "json", expect=0).stdout)
        for kind in ("virtualization", "kernel_parameters", "kernel_modules", "units"):
            self.assertIn(kind, observed["observed"])
        self.assertIn("kernel_parameters", self.run_gpuhost("observe", "--host", self.host, expect=0).stdout)

    def test_a_record_gives_the_very_plan_for_what_no_kind_asks_for_by_itself(self):
        text = self.host.read_text().replace("  vfio: {}", "  vfio: {}\n  kvm: {parameters: [ignore_msrs], loaded: true}")
        self.host.write_text(text.replace("files:", "files:\n  /sys/module/kvm/parameters/ignore_msrs: N"))
        recorded = self.directory / "again.yaml"
        self.run_gpuhost("observe", "--host", self.host, "--record", recorded, expect=0)
        path = self.write(document(STOP_ALLOWED, STOP, "kernel: {modules: {vfio: {state: loaded}, "
                                   "kvm: {state: loaded, options: {ignore_msrs: 1}}}}\n"))
        plans = [self.run_gpuhost("plan", "-f", path, "--host", host, "-o", "json", expect=0).stdout
                 for host in (self.host, recorded)]
        self.assertEqual(*plans)

    def test_the_exported_document_plans_empty(self):
        text = self.run_gpuhost("export", "--host", self.host, expect=0).stdout
        self.assertIn("kind: HostState", text)
        self.on_host("plan", text, "--detailed-exitcode", expect=0)

    def test_exports_what_an_apply_has_made(self):
        self.apply(document("policy: {disruption: reboot}\n", PARAMETER), "--reboot", expect=0)
        text = self.run_gpuhost("export", "--host", self.host, expect=0).stdout
        self.assertIn("iommu: pt", text)
        self.on_host("plan", text, "--detailed-exitcode", expect=0)

    def test_verify_of_what_cannot_be_read_is_69_or_77(self):
        recorded = self.host.read_text()
        self.host.write_text(recorded.replace("  ollama.service: {state: active, enabled: true}",
                                              "  unknown: there is no system bus"))
        self.on_host("verify", document("units: {ollama.service: {state: active}}\n"), expect=69)
        self.host.write_text(recorded.replace("  ollama.service: {state: active, enabled: true}",
                                              "  unknown: {reason: not allowed, kind: denied}"))
        self.on_host("verify", document("units: {ollama.service: {state: active}}\n"), expect=77)

    def test_status_before_any_run(self):
        self.assertIn("No run", self.run_gpuhost("status", "--host", self.host, expect=0).stdout)
        self.run_gpuhost("status", "--host", self.host, "--detailed-exitcode", expect=0)

    def test_schemas_are_json_schemas(self):
        for path in sorted(SCHEMAS.glob("*.schema.json")):
            name = path.name.removesuffix(".schema.json")
            self.assertEqual(self.run_gpuhost("schema", name, expect=0).stdout, path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    GPUHOST, SCHEMAS = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
