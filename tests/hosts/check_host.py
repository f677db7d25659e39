"""Starts a web UI with this extension in it, on this machine alone, and works through a checklist
by its web API and its page.

    check_host.py HOST_FOLDER [--python P] [--report FOLDER]

The host must be installed: its own Python environment, and what it fetches at its first start. It
needs no checkpoint. Its folder is only read: models, settings and extensions are in a folder that
is gone afterwards, where this repository is linked as the only extension besides a small one that
looks at the host's modules. The report, report.md, has a line for each check, with screenshots.

The exit code is 0 if every check passed or asks for what the host does not have, 1 if one failed,
and 2 if the host could not be started.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(ROOT / "tests"), str(ROOT / "extension")]

import readme_images  # noqa: E402  after the path
from browser import browser_on  # noqa: E402
from checking import Checks, Context, Result, require, run_check  # noqa: E402
from checklist import BY_API, ON_PAGE  # noqa: E402
from host import OURS, Host, HostError  # noqa: E402
from host_checks.generating import image_of_the_command_line  # noqa: E402
from host_checks.other_scripts import run_inside_a_run  # noqa: E402
from playwright.sync_api import Error as PlaywrightError  # noqa: E402
from support import built  # noqa: E402

from kandinsky_ext.controls import CONTROLS  # noqa: E402

NOT_STARTED = 2
life = Checks()
"""Of starting and ending."""


def arguments_of(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("host", metavar="HOST_FOLDER", type=Path, help="where its launch.py is")
    parser.add_argument(
        "--python",
        metavar="P",
        type=Path,
        help="the host's Python (default: HOST_FOLDER/venv/bin/python)",
    )
    parser.add_argument(
        "--report",
        metavar="FOLDER",
        type=Path,
        help="where to put the report (default: build/host-reports/<the host folder's name>)",
    )
    parser.add_argument(
        "--engine",
        metavar="FOLDER",
        type=Path,
        help="the folder with a built kandinsky_engine that fits the host's torch and Python. "
        f"Default: {built.PYTHON_DIR} if that fits, else what install.py makes of KANDINSKY_WHEELS "
        "or by building",
    )
    parser.add_argument(
        "--extension",
        metavar="FOLDER",
        type=Path,
        default=ROOT,
        help="another copy of this repository to be the extension, such as one with a feature "
        "taken out, to see the checks fail",
    )
    parser.add_argument(
        "--beside",
        metavar="FOLDER",
        type=Path,
        action="append",
        default=[],
        help="another extension to install as well, with what it needs installed, such as "
        "sd-webui-controlnet",
    )
    parser.add_argument(
        "--detector",
        metavar="FILE",
        type=Path,
        help="for an ADetailer beside: a detection model, such as one of ultralytics, that finds "
        "a plain shape on a plain ground",
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        nargs="+",
        default=[],
        help="only these: functions in the files of host_checks/",
    )
    parser.add_argument(
        "--readme-images",
        metavar="FOLDER",
        type=Path,
        help="instead of checking, make the README's images of the page there",
    )
    parser.add_argument("--no-page", action="store_true", help="leave the browser out")
    parser.add_argument(
        "--flag",
        metavar="WORD",
        action="append",
        default=[],
        help="an extra argument for the host's command line, such as --flag=--medvram",
    )
    parser.add_argument(
        "--boot-timeout", metavar="SECONDS", type=float, default=300, help="default: 300"
    )
    return parser.parse_args(words)


def kind_of(folder: Path) -> str:
    """Which family of hosts this is, by what is in its folder."""
    if (folder / "modules_forge").is_dir():
        if (folder / "ldm_patched").is_dir():
            return "reForge"
        requirements = folder / "requirements_versions.txt"
        return "Forge" if requirements.exists() else "Forge Neo"
    if (folder / "installer.py").exists():
        return "SD.Next"
    return "A1111"


def version_of(folder: Path) -> str:
    """The commit, if the folder is a checkout, or what the host says of itself in a file."""
    told = subprocess.run(
        ["git", "-C", str(folder), "describe", "--always", "--tags"],
        capture_output=True,
        text=True,
        check=False,
    )
    parts = [told.stdout.strip()] if told.returncode == 0 else []
    file = folder / "modules_forge" / "forge_version.py"
    if file.exists():
        parts += [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    return ", ".join(parts)


def engine_for(python: Path, given: Path | None, extension: Path) -> Path | None:
    """The folder for PYTHONPATH; None if install.py has put an engine where the extension looks."""
    for folder in (given, built.PYTHON_DIR):
        if folder is None or not folder.is_dir():
            continue
        tried = subprocess.run(
            [str(python), "-c", "import torch, kandinsky_engine"],
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if tried.returncode == 0:
            return folder.resolve()
        if folder is given:
            sys.exit(f"{folder} does not fit {python}:\n{tried.stderr}")
    installed = subprocess.run([str(python), str(extension / "install.py")], check=False)
    if installed.returncode != 0:
        sys.exit("install.py made no engine for this host")
    return None


@life.add
def disabled_extension_is_not_there(context: Context) -> str:
    """Disabled, the extension leaves no trace in the host."""
    seconds = context.host.start(context.boot_timeout, disabled=(OURS,))
    try:
        listed = context.host.get("/sdapi/v1/scripts")
        named = [name for tab in listed.values() for name in tab if OURS in name]
        require(not named, f"scripts: {named}")
        functions = context.host.get("/kandinsky-probe/state")["functions"]
        require("kandinsky" not in json.dumps(functions), f"functions: {functions}")
        log = context.host.printed()
        require("kandinsky_ext" not in log and "Kandinsky:" not in log, "the log names it")
    finally:
        context.host.stop()
    return f"started in {seconds:.0f} s"


@life.add
def works_without_a_page(context: Context) -> str:
    """Started for programs alone, the host gives the command line's image, and runs inside a run
    what they give alone.
    """
    # Without a name such a host listens to all the world.
    seconds = context.host.start(
        context.boot_timeout, flags=("--nowebui", "--server-name=127.0.0.1")
    )
    context.base = None
    try:
        said = [check(context) for check in (image_of_the_command_line, run_inside_a_run)]
    finally:
        context.host.stop()
    return f"started in {seconds:.0f} s; {'; '.join(said)}"


@life.add
def starts_without_a_checkpoint(context: Context) -> str:
    """The host starts with the extension, and no complaint in its log is about it."""
    seconds = context.host.start(context.boot_timeout)
    log = context.host.printed().splitlines()
    ours = [line for line in log if "kandinsky_ext" in line or "kandinsky.py" in line]
    require(not ours, "; ".join(ours))
    return f"{seconds:.0f} s"


@life.add
def state_at_the_end(context: Context) -> str:
    """After all runs the host has the model, functions, types and options that it started with."""
    after = context.host.get("/kandinsky-probe/state")
    for part in ("model", "functions", "dtypes"):
        require(
            after[part] == context.state[part],
            f"{part}: {after[part]} instead of {context.state[part]}",
        )
    return "model, functions and types as at the start"


@life.add
def ends_when_asked(context: Context) -> str:
    code = context.host.stop()
    require(code != -9, "it had to be killed")
    return f"exit code {code}"


def run_all(context: Context, only: list[str], *, page: bool) -> Iterator[Result]:
    def wanted(name: str) -> bool:
        return not only or name in only

    started = run_check(starts_without_a_checkpoint, context)
    yield started
    if not context.host.running:
        shutil.copyfile(context.host.log, context.report / "host.log")
        raise HostError(started.said)
    context.state = context.host.get("/kandinsky-probe/state")
    context.state["memory"] = context.host.get("/kandinsky-probe/memory")
    context.versions = context.host.get("/kandinsky-probe/versions")
    for check in BY_API:
        if wanted(check.__name__):
            yield run_check(check, context)
    page_wanted = [check for check in ON_PAGE if wanted(check.__name__)]
    if page and page_wanted:
        with browser_on(context) as browser:
            if page_wanted[0] is not ON_PAGE[0]:
                browser.open()
                browser.as_requested()
            for check in page_wanted:
                result = run_check(check, browser)
                if result.outcome == "failed":
                    # Chromium cannot always show what it failed at.
                    with suppress(PlaywrightError):
                        browser.screenshot(f"failed-{check.__name__}")
                yield result
    if wanted(state_at_the_end.__name__):
        yield run_check(state_at_the_end, context)
    yield run_check(ends_when_asked, context)
    shutil.copyfile(context.host.log, context.report / "host.log")
    for check in (works_without_a_page, disabled_extension_is_not_there):
        if wanted(check.__name__):
            yield run_check(check, context)


def make_readme_images(context: Context, folder: Path) -> None:
    context.host.start(context.boot_timeout)
    with browser_on(context) as browser:
        browser.open()
        readme_images.make(browser, folder)


def write_report(context: Context, results: list[Result], title: str) -> None:
    counts = {
        outcome: sum(result.outcome == outcome for result in results)
        for outcome in ("passed", "failed", "absent")
    }
    versions = ", ".join(f"{name} {value}" for name, value in context.versions.items())
    lines = [
        f"# {title}",
        "",
        f"{versions}",
        "",
        ", ".join(f"{count} {outcome}" for outcome, count in counts.items()),
        "",
        "| check | result | seconds | seen |",
        "|---|---|---|---|",
    ]
    for result in results:
        said = " ".join(result.said.replace("|", "\\|").split())[:600]
        about = f"<br>{result.about}" if result.about else ""
        lines.append(f"| {result.name}{about} | {result.outcome} | {result.seconds:.1f} | {said} |")
    lines += ["", *(f"![{name}]({name})" for name in dict.fromkeys(context.kept)), ""]
    (context.report / "report.md").write_text("\n".join(lines), "utf-8")
    content: dict[str, Any] = {
        "host": title,
        "versions": context.versions,
        "results": [asdict(result) for result in results],
    }
    (context.report / "report.json").write_text(json.dumps(content, indent=2), "utf-8")


def main(words: list[str] | None = None) -> int:
    given = arguments_of(words)
    folder = given.host.resolve()
    # Not resolved: a virtual environment's Python is a link.
    python = Path(os.path.abspath(given.python or folder / "venv" / "bin" / "python"))  # noqa: PTH100
    extension = given.extension.resolve()
    report = given.report or ROOT / "build" / "host-reports" / folder.name
    report.mkdir(parents=True, exist_ok=True)
    needed = (folder / "launch.py", python, built.PROGRAM)
    for missing in (*needed, *([given.detector] if given.detector else [])):
        if not missing.exists():
            sys.exit(f"there is no {missing}")
    engine = engine_for(python, given.engine, extension)
    title = f"{kind_of(folder)} ({version_of(folder)})"
    print(title, flush=True)
    results = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        host = Host(
            folder,
            python,
            place,
            {
                OURS: extension,
                "kandinsky-probe": HERE / "probe",
                **{folder.resolve().name: folder.resolve() for folder in given.beside},
            },
            engine,
            given.flag,
        )
        if given.detector:
            host.add_model("adetailer", given.detector)
        context = Context(
            host=host,
            kind=kind_of(folder),
            extension=extension,
            stand_in=ROOT / "tests" / "support" / "host_stub" / "modules",
            program=built.PROGRAM,
            model=ROOT / "demo" / "model" / "kandinsky-demo",
            place=place,
            report=report,
            controls=CONTROLS,
            boot_timeout=given.boot_timeout,
            detector=given.detector,
            are_others_beside=bool(given.beside),
        )
        try:
            if given.readme_images:
                make_readme_images(context, given.readme_images)
                return 0
            for result in run_all(context, given.only, page=not given.no_page):
                results.append(result)
                said = " ".join(result.said.split())[:300]
                print(
                    f"{result.outcome:6} {result.name} ({result.seconds:.1f} s): {said}", flush=True
                )
        except HostError as error:
            print(f"the host could not be started: {error}")
            return NOT_STARTED
        finally:
            host.stop()
            if not given.readme_images:
                write_report(context, results, title)
    print(f"report: {report / 'report.md'}")
    return int(any(result.outcome == "failed" for result in results))


if __name__ == "__main__":
    sys.exit(main())
