"""The runner of all tests: what it counts, and what it must not let pass."""

import sys
from pathlib import Path

import pytest
import run_tests

CTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="Linux" tests="6" failures="1" disabled="1" skipped="2">
  <testcase name="Safetensors.Reads" classname="Safetensors.Reads" time="0.1" status="run"/>
  <testcase name="Safetensors.Refuses" classname="Safetensors.Refuses" time="0.1" status="run"/>
  <testcase name="Unet.Equals" classname="Unet.Equals" time="0.1" status="fail">
    <failure message="Failed"/>
  </testcase>
  <testcase name="Bf16.Runs" classname="Bf16.Runs" time="0" status="notrun">
    <skipped message="SKIP_RETURN_CODE=77"/>
  </testcase>
  <testcase name="Old.Thing" classname="Old.Thing" time="0" status="disabled">
    <skipped message="Disabled"/>
  </testcase>
  <testcase name="lost_test" classname="lost_test" time="0" status="notrun">
    <skipped message="Unable to find executable: lost_test"/>
  </testcase>
</testsuite>
"""
PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4">
  <testcase classname="tests.unit.test_a" name="test_one" time="0.01"/>
  <testcase classname="tests.unit.test_a" name="test_two"><failure/></testcase>
  <testcase classname="tests.unit.test_a" name="test_set_up"><error/></testcase>
  <testcase classname="tests.unit.test_a" name="test_gpu"><skipped message="no GPU"/></testcase>
</testsuite></testsuites>
"""
GTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="Unet">
  <testcase name="Equals/1" classname="All/Unet" status="run" result="completed" time="0.5"/>
  <testcase name="Runs" classname="Unet" status="run" result="completed" time="0.1"/>
  <testcase name="InBf16" classname="Unet" status="run" result="skipped" time="0">
    <skipped message="bf16_test.cpp:12&#x0A;this CPU has no bf16"/></testcase>
</testsuite></testsuites>
"""
FAILING_GTEST = GTEST.replace(
    'time="0.5"/>', 'time="0.5"><failure message="not equal"/></testcase>'
)
PASSING = '<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>'
EMPTY = "<testsuites><testsuite/></testsuites>"


def pretended(report: Path, text: str | None, code: int) -> list[str]:
    """The command of a runner that writes `text` as its report and ends with `code`."""
    write = f"pathlib.Path({str(report)!r}).write_text({text!r})" if text is not None else "None"
    return [sys.executable, "-c", f"import pathlib; {write}; raise SystemExit({code})"]


def pretend(report: Path, text: str | None, code: int, required: bool = True) -> run_tests.Outcome:
    return run_tests.run("unit, pretended", pretended(report, text, code), report, required)


def test_ctest_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "ctest.xml"
    report.write_text(CTEST, encoding="utf-8")
    outcome = run_tests.read_report(report)
    assert outcome.passed == 2
    assert [name.split("::")[1].split()[0] for name in outcome.failed] == [
        "Unet.Equals",
        "lost_test",
    ]
    assert [text.split("::")[1] for text in outcome.skipped] == [
        "Bf16.Runs: SKIP_RETURN_CODE=77",
        "Old.Thing: Disabled",
    ]
    assert str(outcome) == "2 passed, 2 failed, 2 skipped"


def test_pytest_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "pytest.xml"
    report.write_text(PYTEST, encoding="utf-8")
    outcome = run_tests.read_report(report)
    assert outcome.passed == 1
    assert outcome.failed == ["tests.unit.test_a::test_two", "tests.unit.test_a::test_set_up"]
    assert outcome.skipped == ["tests.unit.test_a::test_gpu: no GPU"]
    assert outcome.seconds["tests.unit.test_a::test_one"] == 0.01


@pytest.mark.parametrize(
    ("status", "gtest", "sums"),
    [
        ("run", GTEST, "2 passed, 0 failed, 1 skipped"),
        ("fail", FAILING_GTEST, "1 passed, 1 failed, 1 skipped"),
        ("fail", None, "0 passed, 1 failed"),  # it ended in the middle
        ("fail", GTEST, "0 passed, 1 failed"),  # it crashed when it ended
        ("notrun", None, "0 passed, 1 failed"),
    ],
)
def test_a_program_of_google_test_counts_as_its_cases(
    tmp_path: Path, status: str, gtest: str | None, sums: str
) -> None:
    if gtest is not None:
        (tmp_path / "unet_test.1.xml").write_text(gtest, encoding="utf-8")
    report = tmp_path / "ctest.xml"
    what = {"run": "", "fail": "<failure/>", "notrun": '<skipped message="no executable"/>'}[status]
    report.write_text(
        f'<testsuite><testcase name="unet_test.1" classname="unet_test.1" status="{status}">{what}'
        "</testcase></testsuite>",
        encoding="utf-8",
    )
    outcome = run_tests.read_report(report)
    assert str(outcome) == sums
    if outcome.skipped:
        assert outcome.skipped == ["Unet::InBf16: this CPU has no bf16"]


def test_outcomes_add_up() -> None:
    total = run_tests.Outcome(passed=3)
    assert str(total) == "3 passed, 0 failed"
    total.add(run_tests.Outcome(2, ["a"], ["b", "c"]))
    assert str(total) == "5 passed, 1 failed, 2 skipped"


def test_a_good_run_is_good(tmp_path: Path) -> None:
    assert str(pretend(tmp_path / "r.xml", PASSING, 0)) == "1 passed, 0 failed"


@pytest.mark.parametrize(
    ("text", "code", "complaint"),
    [
        (None, 0, "no report"),
        (None, -11, "no report"),
        ("<testsuites><tests", 1, "no report"),
        (EMPTY, 0, "ran no test"),
        (EMPTY, 5, "ran no test"),
        (PASSING, 3, "exit code 3 although no test failed"),
    ],
)
def test_a_runner_that_did_not_do_its_work_fails(
    tmp_path: Path, text: str | None, code: int, complaint: str
) -> None:
    outcome = pretend(tmp_path / "r.xml", text, code)
    assert len(outcome.failed) == 1
    assert complaint in outcome.failed[0]


def test_an_old_report_is_not_counted_again(tmp_path: Path) -> None:
    report = tmp_path / "r.xml"
    report.write_text(PASSING, encoding="utf-8")
    assert "no report" in pretend(report, None, 0).failed[0]


def test_a_runner_without_tests_is_fine_where_none_are_required(tmp_path: Path) -> None:
    assert str(pretend(tmp_path / "r.xml", EMPTY, 5, required=False)) == "0 passed, 0 failed"


def test_every_suite_requires_a_runner() -> None:
    assert set(run_tests.REQUIRED) == set(run_tests.SUITES)
    assert all(run_tests.REQUIRED.values())


def test_an_unknown_suite_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tests.main(["units"]) == 2
    assert run_tests.main([]) == 2
    assert "suites: unit, contract, parity, e2e" in capsys.readouterr().err


def test_the_last_line_is_the_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two runners, one of which ran nothing: the sum shows it and the exit code says so."""
    monkeypatch.setattr(run_tests, "REPORTS", tmp_path)

    monkeypatch.setattr(run_tests, "ctest_command", lambda _, file: pretended(file, PASSING, 0))
    monkeypatch.setattr(run_tests, "pytest_command", lambda _, file: pretended(file, PASSING, 0))
    assert run_tests.main(["unit"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 0 failed"

    monkeypatch.setattr(run_tests, "pytest_command", lambda _, file: pretended(file, EMPTY, 5))
    assert run_tests.main(["unit"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "1 passed, 1 failed"
    assert "  unit, pytest: ran no test" in printed
