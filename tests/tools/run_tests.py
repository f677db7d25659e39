"""Runs test suites, with CTest and pytest, and adds up what they counted.

    run_tests.py unit contract parity e2e

A suite is a folder of tests/ and a label in CTest. The last line is `N passed, N failed` or
`N passed, N failed, N skipped`. The exit code is 1 if anything failed, and also if a runner that
should have tests of a suite (see REQUIRED) ran none, or stopped before it had written its report.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
REPORTS = BUILD / "test-reports"

SUITES = ("unit", "contract", "parity", "e2e")
# Who must have tests of a suite. Others may: their tests are found and run as well.
REQUIRED = {
    "unit": {"ctest", "pytest"},
    "contract": {"ctest", "pytest"},
    "parity": {"ctest"},
    "e2e": {"pytest"},
}
# How CTest's report shows a test that skipped itself or was switched off. Any other reason for not
# running, such as a program that is missing, is a failure.
_HONEST_SKIP = re.compile(
    r"SKIP_REGULAR_EXPRESSION_MATCHED|SKIP_RETURN_CODE|Disabled", re.IGNORECASE
)

# A part of a GoogleTest program, as tests/CMakeLists.txt calls it.
_PROGRAM = re.compile(r"\w+_test\.\d+")


@dataclass
class Outcome:
    """What one run of a runner counted: how many passed, names of failures, reasons of skips."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, other: Outcome) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.seconds |= other.seconds

    def __str__(self) -> str:
        text = f"{self.passed} passed, {len(self.failed)} failed"
        return f"{text}, {len(self.skipped)} skipped" if self.skipped else text


def read_report(path: Path) -> Outcome:
    """Counts the test cases of a JUnit report by CTest, GoogleTest or pytest.

    A GoogleTest program in CTest's report stands for the cases of its own report beside it, but
    for one that failed: it may have ended before it had reported all.
    """
    outcome = Outcome()
    for case in ET.parse(path).iter("testcase"):
        if _PROGRAM.fullmatch(case.get("name", "")):
            own_report = path.with_name(f"{case.get('name')}.xml")
            cases = read_report(own_report) if own_report.is_file() else Outcome()
            if cases.failed or (cases.passed and case.get("status") == "run"):
                outcome.add(cases)
                continue
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        outcome.seconds[name] = float(case.get("time", 0))
        skip = case.find("skipped")
        state = case.get("status", "run")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed.append(name)
        elif skip is not None or state not in {"run", "pass"}:
            reason = (skip.get("message") if skip is not None else None) or state
            by_ctest = case.get("status") is not None and case.get("result") is None
            if by_ctest and not _HONEST_SKIP.search(reason):
                outcome.failed.append(f"{name} (not run: {reason})")
                continue
            # GoogleTest puts the place in the source before the reason, on a line of its own.
            outcome.skipped.append(f"{name}: {reason.split(chr(10))[-1]}")
        else:
            outcome.passed += 1
    return outcome


def run(what: str, command: list[str], report: Path, required: bool) -> Outcome:
    """Runs one runner and judges it. what: how to call it when it goes wrong."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    for old in report.parent.glob("*_test.*.xml"):  # of GoogleTest programs
        old.unlink()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    try:
        outcome = read_report(report)
    except (FileNotFoundError, ET.ParseError):
        return Outcome(failed=[f"{what}: ended with exit code {code} and no report"])
    if not outcome.passed and not outcome.failed and required:
        outcome.failed.append(f"{what}: ran no test")
    elif code and not outcome.failed and (outcome.passed or outcome.skipped):
        outcome.failed.append(f"{what}: ended with exit code {code} although no test failed")
    return outcome


def jobs_of(suite: str) -> int:
    """How many tests of the suite run at once, each on one core: threads of two programs that share
    cores wait for each other at every operation. What compares numbers has all cores."""
    if suite == "parity":
        return 1
    return int(os.environ.get("JOBS") or os.cpu_count() or 1)


def one_core(jobs: int) -> tuple[str, ...]:
    # A team that a test asks for waits asleep, not in a loop on the core of another program.
    return ("env", "OMP_NUM_THREADS=1", "OMP_WAIT_POLICY=passive") if jobs > 1 else ()


def ctest_command(suite: str, report: Path) -> list[str]:
    jobs = jobs_of(suite)
    return [
        *one_core(jobs),
        *("ctest", "--test-dir", str(BUILD), "--label-regex", f"^{suite}$", "--no-tests=ignore"),
        *("--output-on-failure", "--parallel", str(jobs), "--output-junit", str(report)),
    ]


def pytest_command(suite: str, report: Path) -> list[str]:
    jobs = jobs_of(suite)
    # What a file's tests share is made once: they stay together.
    side_by_side = ("--numprocesses", str(jobs), "--dist", "loadfile") if jobs > 1 else ()
    return [
        *one_core(jobs),
        *(sys.executable, "-m", "pytest", f"tests/{suite}", "-q", f"--junitxml={report}"),
        *side_by_side,
    ]


def main(suites: list[str]) -> int:
    unknown = [suite for suite in suites if suite not in SUITES]
    if unknown or not suites:
        print(f"usage: run_tests.py SUITE...\nsuites: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    total, rows = Outcome(), []
    for suite in suites:
        has_python = any((ROOT / "tests" / suite).rglob("test_*.py"))
        for runner, command in (("ctest", ctest_command), ("pytest", pytest_command)):
            required = runner in REQUIRED[suite]
            if runner == "pytest" and not (required or has_python):
                continue
            print(f"\n== {suite}, {runner}", flush=True)
            report = REPORTS / f"{suite}-{runner}.xml"
            started = time.monotonic()
            outcome = run(f"{suite}, {runner}", command(suite, report), report, required)
            rows.append(f"{suite:<9} {runner:<7} {time.monotonic() - started:6.1f} s  {outcome}")
            total.add(outcome)
    print("\n== Summary", *rows, sep="\n")
    slowest = sorted(total.seconds.items(), key=lambda item: item[1], reverse=True)[:10]
    print("\nSlowest:", *(f"{seconds:6.1f} s  {name}" for name, seconds in slowest), sep="\n  ")
    for title, names in (("Skipped", total.skipped), ("Failed", total.failed)):
        if names:
            print(f"\n{title}:", *names, sep="\n  ")
    print(f"\n{total}", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
