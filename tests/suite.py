"""The stages of the test suite, each with its own deadline; see the end for the command line."""

import argparse
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0))
CANNOT_RUN = 77  # the exit status of a program that has skipped all, with the reason
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)


class OutOfTime(Exception):
    pass


class Failed(Exception):
    """A command that the rest of the stage rests on did not succeed."""


@dataclass
class Stage:
    """One run of a stage: its deadline and what it has counted so far."""

    name: str
    seconds: int
    started: float = field(default_factory=time.monotonic)
    passed: int = 0
    failures: list = field(default_factory=list)
    skips: list = field(default_factory=list)  # (name, reason)

    def left(self):
        return self.seconds - (time.monotonic() - self.started)

    def check(self, name, holds):
        if holds:
            self.passed += 1
        else:
            self.failures.append(name)

    def run(self, *command, output=None, environment=None):
        """Runs a command in its own process group until the stage's deadline; its exit status."""
        process = subprocess.Popen([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT if output else None, process_group=0,
                                   env=os.environ | (environment or {}))
        try:
            return process.wait(timeout=max(self.left(), 1))
        except subprocess.TimeoutExpired:
            raise OutOfTime(" ".join(str(word) for word in command[:3])) from None
        finally:
            end_group(process)

    def need(self, *command, environment=None):
        if self.run(*command, environment=environment) != 0:
            raise Failed(" ".join(str(word) for word in command[:4]))

    def run_counting(self, name, *command):
        """Runs a program that closes with a line of counts, which are added; without one its exit status counts."""
        log = ROOT / "build" / f"{self.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as output:
            status = self.run(*command, output=output)
        text = log.read_text(errors="replace")
        print(text, end="", flush=True)
        counts = COUNTS.findall(text)
        if counts and (status in (0, CANNOT_RUN)) == (counts[-1][1] == "0"):
            passed, failed, skipped = (int(count or 0) for count in counts[-1])
            self.passed += passed
            self.failures += [f"{name} (told above)"] * failed
            self.skips += [(name, "told above")] * skipped
        else:
            self.check(name, status == 0)


def end_group(process):
    """Ends a command and all it has started and left in its process group."""
    for deadly in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, deadly)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue


def install(stage, *groups):
    stage.need("tests/install_packages", *groups)


BUILDS = {  # folder and what is set in it
    "release": ("build", ["-DCMAKE_BUILD_TYPE=Release", "-DGPUHOST_TESTS=ON"]),
    "asan": ("build-asan", ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-Og -g1",
                            "-DGPUHOST_SANITIZE=address,undefined"]),
    "fuzz": ("build-fuzz", ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_CXX_COMPILER=clang++-19",
                            "-DCMAKE_CXX_FLAGS=-Wno-deprecated-declarations", "-DGPUHOST_FUZZERS=ON",
                            "-DGPUHOST_SANITIZE=fuzzer-no-link,address,undefined"]),
}


def configure(stage, kind, options=()):
    folder, settings = BUILDS[kind]
    launcher = {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {}
    stage.need("cmake", "-G", "Ninja", "-B", ROOT / folder, "--log-level=WARNING", *settings, *options,
               environment=launcher)
    return ROOT / folder


def build(stage, kind, *targets, options=()):
    """Configures and builds; the folder it is in."""
    folder = configure(stage, kind, options)
    quiet = [] if sys.stdout.isatty() else ["--", "--quiet"]
    chosen = [word for target in targets for word in ("--target", target)]
    stage.need("cmake", "--build", folder, "--parallel", CORES, *chosen, *quiet)
    return folder


def run_ctest(stage, folder, *options, environment=None):
    report = folder / "ctest.xml"
    report.unlink(missing_ok=True)
    with (folder / "ctest.log").open("wb") as log:
        status = stage.run("ctest", "--test-dir", folder, "--parallel", CORES, "--no-tests=error", "--output-junit",
                           report, "--test-output-size-passed", 100000, *options, output=log,
                           environment=environment)
    if not report.exists():
        print((folder / "ctest.log").read_text(errors="replace"), flush=True)
        raise Failed("ctest")
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        count_case(stage, case)
    if status != 0 and not stage.failures:
        stage.failures.append(f"ctest ended with {status}")


def count_case(stage, case):
    name, status, said = case.get("name"), case.get("status"), case.findtext("system-out") or ""
    why = next((element.get("message") for tag in ("failure", "skipped") for element in case.findall(tag)), status)
    if status == "run":
        stage.passed += 1
    elif status == "disabled":
        stage.skips.append((name, "disabled"))
    elif status == "notrun" and why.startswith("SKIP_"):
        stage.skips.append((name, skip_reason(said)))
    else:
        stage.failures.append(f"{name} ({why or 'failed'})")
        print(f"---- {name} ({why or 'failed'})\n{said}", flush=True)


def skip_reason(said):
    """What GTEST_SKIP() was given, or the last line of another program."""
    reason = re.search(r": Skipped\n(.*?)\n+\[", said, re.DOTALL)
    lines = (reason.group(1) if reason else said).strip().splitlines()
    return (" ".join(lines) if reason else "".join(lines[-1:])) or "no reason given"


def everyday(stage):
    install(stage, "build", "tests")
    folder = build(stage, "release")
    run_ctest(stage, folder, "--label-exclude", "^lab$")
    stage.check("examples/quickstart", stage.run("examples/quickstart") == 0)


def sanitizers(stage):
    install(stage, "build", "tests", "lab")
    folder = build(stage, "asan")
    run_ctest(stage, folder, environment={"ASAN_OPTIONS": "detect_stack_use_after_return=1",
                                          "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})


def source_files(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".cpp", ".hpp"))


def lint(stage):
    install(stage, "build", "tests", "lint")
    configure(stage, "release")
    stage.check("formatting (clang-format-19 -i mends it)",
                stage.run("clang-format-19", "--dry-run", "-Werror", *source_files("reconciler", "tests")) == 0)
    stage.check("architecture", stage.run(sys.executable, "-B", "tests/architecture/rules.py", ROOT) == 0)
    check_file_lengths(stage)
    check_with_clang_tidy(stage)


def too_long(what, length, warn, limit):
    if length > warn:
        print(f"{'error' if length > limit else 'warning'}: {what} has {length} lines; "
              f"from {warn} it is hard to read, over {limit} it must be divided", flush=True)
    return length > limit


def check_file_lengths(stage):
    lengths = [(path.relative_to(ROOT), path.read_text().count("\n")) for path in source_files("reconciler")
               if "catalog" not in path.parts]
    stage.check("length of files", not any([too_long(path, length, 400, 600) for path, length in lengths]))


TIDY_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpuhost-clang-tidy"
LONG_FUNCTION = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): function ('[^']+') exceeds.*?\n.*?"
                           r"note: (\d+) lines including", re.MULTILINE | re.DOTALL)


def check_with_clang_tidy(stage):
    """Every source file of the product; its checks stand in .clang-tidy."""
    commands = json.loads((ROOT / "build/compile_commands.json").read_text())
    commands = [command for command in commands if Path(command["file"]).is_relative_to(ROOT / "reconciler")]
    lengths = {}
    with ThreadPoolExecutor(CORES) as cores:
        for path, status, said in cores.map(lambda command: tidied(stage, command), commands):
            stage.check(f"clang-tidy {path}", status == 0)
            if status != 0:
                print(said, flush=True)
            for file, line, function, length in LONG_FUNCTION.findall(said):
                lengths[f"{Path(file).relative_to(ROOT)}:{line}: {function}"] = int(length)
    stage.check("length of functions",
                not any([too_long(what, length, 60, 100) for what, length in sorted(lengths.items())]))


def tidied(stage, command):
    """What clang-tidy says of a file. A clean one is remembered by all that goes into it, as ccache does."""
    path = Path(command["file"])
    remembered = TIDY_CACHE / tidy_key(command)
    if remembered.exists():
        return path.relative_to(ROOT), 0, ""
    log = ROOT / "build" / "clang-tidy" / (str(path.relative_to(ROOT)).replace("/", ".") + ".log")
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        status = stage.run("clang-tidy-19", "-p", "build", "--quiet", "--extra-arg=-Wno-unknown-warning-option", path,
                           output=output)  # the commands are g++'s
    said = log.read_text(errors="replace")
    if status == 0 and not LONG_FUNCTION.search(said):
        remembered.parent.mkdir(parents=True, exist_ok=True)
        remembered.touch()
    return path.relative_to(ROOT), status, said


def tidy_key(command):
    words = shlex.split(command["command"])
    output = words.index("-o")
    preprocess = [*words[:output], *words[output + 2:], "-E", "-P", "-C", "-o", "-"]
    text = subprocess.run(preprocess, cwd=command["directory"], capture_output=True, check=False)
    return hashlib.sha256(tidy_settings() + text.stdout + text.stderr).hexdigest()


@functools.cache
def tidy_settings():
    version = subprocess.run(["clang-tidy-19", "--version"], capture_output=True, check=True).stdout
    return version + (ROOT / ".clang-tidy").read_bytes()


def fuzzing(stage):
    install(stage, "build", "tests", "fuzzing")
    folder = build(stage, "fuzz", "fuzzers")
    stage.run_counting("fuzzing", "tests/fuzz/run", folder, 150)


def benchmark(stage):
    install(stage, "build", "tests", "benchmark")
    build(stage, "release", "gpuhost", "plan_benchmark", "mig_layout_benchmark", "measure_process",
          options=("-DGPUHOST_TESTS=ON",))
    stage.check("benchmark", stage.run("tests/benchmark/run", "build") == 0)


def lab(stage):
    install(stage, "build", "tests", "lab", "machines")
    folder = build(stage, "release")
    run_ctest(stage, folder, "--label-regex", "^lab$")
    stage.run_counting("virtual machines", "tests/lab/run", "--build", folder, "--no-reboots")


def reboots(stage):
    install(stage, "build", "tests", "machines")
    folder = build(stage, "release")
    stage.run_counting("virtual machines", "tests/lab/run", "--build", folder, "--reboots")


MINUTES = 60
STAGES = {  # what it does, its deadline
    "everyday": (everyday, 20 * MINUTES),
    "sanitizers": (sanitizers, 25 * MINUTES),
    "lint": (lint, 20 * MINUTES),
    "fuzzing": (fuzzing, 12 * MINUTES),
    "benchmark": (benchmark, 5 * MINUTES),
    "lab": (lab, 13 * MINUTES),
    "reboots": (reboots, 15 * MINUTES),
}


def run_stage(name):
    work, seconds = STAGES[name]
    stage = Stage(name, seconds)
    print(f"==== {name} (at most {seconds // MINUTES} minutes)", flush=True)
    try:
        work(stage)
    except OutOfTime as command:
        stage.failures.append(f"out of time at: {command}")
    except Failed as command:
        stage.failures.append(f"failed: {command}")
    stage.took = time.monotonic() - stage.started
    print(f"==== {name}: {stage.passed} passed, {len(stage.failures)} failed, {len(stage.skips)} skipped, "
          f"{stage.took:.0f} s", flush=True)
    return stage


def print_skips(stages):
    by_reason = defaultdict(list)
    for stage in stages:
        for name, reason in stage.skips:
            by_reason[reason].append(name)
    for reason, names in by_reason.items():
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        print(f"skipped: {reason} ({shown})")


def print_summary(stages):
    print("\n==== summary")
    for stage in stages:
        print(f"{stage.name:<11} {stage.took:5.0f} s of {stage.seconds}: {'FAILED' if stage.failures else 'ok'}")
        for name in stage.failures:
            print(f"    failed: {name}")
    print_skips(stages)
    print(f"{sum(stage.passed for stage in stages)} passed, {sum(len(stage.failures) for stage in stages)} failed, "
          f"{sum(len(stage.skips) for stage in stages)} skipped", flush=True)


def main():
    parser = argparse.ArgumentParser(
        prog="tests/run", description="Installs what is missing, builds, and runs the tests on two cores or more.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"one of: {', '.join(STAGES)} (default: everyday)")
    parser.add_argument("--full", action="store_true", help="every stage")
    chosen = parser.parse_args()
    unknown = set(chosen.stages) - set(STAGES)
    if unknown:
        parser.error(f"unknown stage: {', '.join(sorted(unknown))}")
    os.environ.setdefault("CCACHE_BASEDIR", str(ROOT))  # so that another checkout can use what this one compiled
    os.environ.setdefault("CCACHE_NOHASHDIR", "true")
    names = list(STAGES) if chosen.full else chosen.stages or ["everyday"]
    stages = [run_stage(name) for name in names]
    print_summary(stages)
    return 1 if any(stage.failures for stage in stages) else 0


if __name__ == "__main__":
    sys.exit(main())
