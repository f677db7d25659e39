"""The command `python -m kandinsky_engine get`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from . import found, known, words
from .download import Download, Progress
from .hub import HUB, Hub, HubError

FOLDER = Path("models") / "Kandinsky"
SHIPPED = [up / "demo" / "model" for up in Path(__file__).resolve().parents[3:5]]
"""In a clone: as seen from its bindings/, and from its build/python/."""
DONE, FAILED, USAGE, PAUSED = 0, 1, 2, 130
DRAW_SECONDS = 0.2
REPORT_SECONDS = 10
"""Between lines without a terminal."""
BAR = 16

DESCRIPTION = """\
Lists known Kandinsky models, or downloads the given ones: only the needed files, as safetensors.
Files that are already on the disk are used in place.
"""
EPILOG = f"""\
environment:
  HF_ENDPOINT      hub address instead of {HUB}
  HF_TOKEN         your token, sent only to the endpoint
  HTTPS_PROXY, NO_PROXY   proxies
  HF_HUB_CACHE, HF_HOME   caches of other programs' downloads
  HF_HUB_OFFLINE   1: nothing is downloaded

Ctrl-C pauses; the same command resumes.
exit codes: 0 done, 1 failed, 2 wrong usage, 130 paused
"""


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kandinsky_engine get",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(model.name for model in known.MODELS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {names}")
    parser.add_argument("--list", action="store_true", help="list known and installed models")
    parser.add_argument(
        "--to",
        type=lambda text: Path(text).expanduser(),
        metavar="FOLDER",
        help=f"the folder for models (default: {FOLDER})",
    )
    parser.add_argument("--endpoint", default="", metavar="URL", help="overrides HF_ENDPOINT")
    parser.add_argument("--yes", action="store_true", help="download without asking")
    parser.add_argument("--quiet", action="store_true", help="print only errors")
    return parser


def main(arguments: Sequence[str] | None = None, families: tuple[str, ...] = known.FAMILIES) -> int:
    """families: supported by the engine. Returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        if options.list or not options.names:
            if options.names:
                return _wrong("--list takes no names")
            print(table(roots(options.to), families))
            return DONE
        models = []
        for name in dict.fromkeys(options.names):
            model = known.model(name)
            if model is None:
                return _wrong(unknown(name))
            models.append(model)
        return _get(models, options, families)
    except HubError as error:
        return _wrong(str(error), FAILED)
    except KeyboardInterrupt:
        return PAUSED
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED


def unknown(name: str) -> str:
    if any(name == demo.name for demo in known.DEMOS.values()):
        return f'"{name}" {known.DEMO.note}: there is nothing to download'
    names = ", ".join(model.name for model in known.MODELS)
    return f'there is no model "{name}": choose one of {names}'


def roots(to: Path | None) -> list[Path]:
    """The folders to look in."""
    return [to or FOLDER, found.hub_cache(), *(folder for folder in SHIPPED if folder.is_dir())]


def table(places: Sequence[Path], families: tuple[str, ...]) -> str:
    """The models as lines of text."""
    rows = words.rows(places, families)
    cells = [("NAME", "SIZE", "LICENCE", "HERE", "DESCRIPTION")]
    cells += [(row.name, row.size, row.licence, row.here, row.what) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    text = [
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    where = [f"{row.name}: {folder}" for row in rows for folder in row.folders]
    looked = "Looked in: " + ", ".join(str(place) for place in places)
    return "\n".join([*text, "", *where, looked])


def _get(
    models: Sequence[known.Model], options: argparse.Namespace, families: tuple[str, ...]
) -> int:
    out = _Output(sys.stderr, options.quiet)
    folder = options.to or FOLDER
    missing = []
    for model in models:
        out.say(f"{model.name}: {remark}." if (remark := known.unusable(model, families)) else "")
        # A folder that is named gets its own copy.
        state = found.find(model, [folder] if options.to else roots(None))
        if state.is_whole:
            places = ", ".join(str(part.folder) for part in state.parts if part)
            out.say(f"{model.name} is already there: {places}")
        else:
            missing.append(model)
    if not missing:
        return DONE
    hub = Hub.of_environment(options.endpoint)
    size = sum(known.size(model)[0] - found.find(model, [folder]).bytes for model in missing)
    names = ", ".join(model.name for model in missing)
    question = (
        f"Download {names}, about {words.gigabytes(max(size, 0))}, from {hub.endpoint} into "
        f"{folder}?"
    )
    if not options.yes:
        if not sys.stdin.isatty():
            return _wrong(f"{question} Confirm with --yes")
        if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            return FAILED
    for model in missing:
        code = _run(Download(model, folder, hub), out)
        if code != DONE:
            return code
    return DONE


def _run(download: Download, out: _Output) -> int:
    name = download.model.name
    download.start()
    try:
        while not download.wait(DRAW_SECONDS):
            out.draw(f"{name}: ", download.progress())
    except KeyboardInterrupt:
        out.say("Pausing; a second Ctrl-C ends at once.")
        download.pause()
        download.wait()
    progress = download.progress()
    if progress.state == "done":
        out.say(f"{name}: all {words.gigabytes(progress.total)} are in {download.folder}.")
        return DONE
    if progress.state == "paused":
        out.say(f"{name} is paused. The same command resumes it.")
        return PAUSED
    out.end_bar()
    return _wrong(f"{name}: {progress.message}", FAILED)


def _wrong(text: str, code: int = USAGE) -> int:
    print(f"kandinsky get: {text}", file=sys.stderr)
    return code


class _Output:
    """A bar that is drawn over itself, or a line now and then where that is not seen."""

    def __init__(self, stream: TextIO, is_quiet: bool) -> None:
        self._stream = stream
        self._is_quiet = is_quiet
        self._width = 0
        self._reported = float("-inf")

    def say(self, text: str) -> None:
        self.end_bar()
        if text and not self._is_quiet:
            print(text, file=self._stream, flush=True)

    def draw(self, before: str, progress: Progress) -> None:
        text = words.progress(progress)
        if self._is_quiet:
            return
        if not self._stream.isatty():
            if time.monotonic() - self._reported >= REPORT_SECONDS:
                self._reported = time.monotonic()
                print(f"{before}{text}", file=self._stream, flush=True)
            return
        if progress.total and not progress.message:
            full = BAR * progress.done // progress.total
            percent = 100 * progress.done // progress.total
            before += f"[{'#' * full}{'.' * (BAR - full)}] {percent}% "
        text = (before + text)[: shutil.get_terminal_size().columns - 1]
        print(f"\r{text.ljust(self._width)}", end="", file=self._stream, flush=True)
        self._width = len(text)

    def end_bar(self) -> None:
        if self._width:
            print(file=self._stream, flush=True)
            self._width = 0
