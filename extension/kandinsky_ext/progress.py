"""How far an installation is: lines for the person at the host, and for others that wait."""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

REPORT_SECONDS = 10


def progress_stream() -> TextIO:
    """Where the person is looking.

    The host keeps an installer's output until its end, so go around it if we can.
    """
    if sys.stdout.isatty() or os.environ.get("WEBUI_LAUNCH_LIVE_OUTPUT") == "1":
        return sys.stdout
    try:
        return Path("/dev/tty").open("w", encoding="utf-8")
    except OSError:
        return output_of_who_keeps_ours() or sys.stdout


def output_of_who_keeps_ours() -> TextIO | None:
    """Where there is no terminal: the error stream of the nearest process above that has another
    than ours, which is the host with its log. None if our own output is not kept back in a pipe.
    """
    ours = [os.fstat(descriptor) for descriptor in (1, 2)]
    if not stat.S_ISFIFO(ours[0].st_mode):
        return None
    process = os.getppid()
    try:
        while any(os.path.samestat(Path(f"/proc/{process}/fd/2").stat(), own) for own in ours):
            status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
            process = int(re.search(r"(?m)^PPid:\s*(\d+)$", status).group(1))  # type: ignore[union-attr]
        # Without waiting for a reader where there is none any more.
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_NONBLOCK
        descriptor = os.open(f"/proc/{process}/fd/2", flags)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "w", encoding="utf-8")
    except (OSError, AttributeError):
        return None


class Progress:
    """Says every ten seconds how far the work is: to the person, and to others that wait for it."""

    def __init__(self, lock: TextIO, stream: TextIO) -> None:
        self._lock = lock
        self._stream = stream
        self._what = ""
        self._done = 0
        self._total = 0
        self._unit = ""
        self._started = time.monotonic()

    def begin(self, what: str) -> None:
        self._what, self._total = what, 0
        self._started = time.monotonic()
        self.report()

    def take(self, line: str) -> None:
        """Reads "[40/210] Building ..." of Ninja, or "[ 19%] Building ..." of Make."""
        if found := re.match(r"\[(\d+)/(\d+)\]", line):
            self._done, self._total, self._unit = int(found[1]), int(found[2]), ""
        elif found := re.match(r"\[ *(\d+)%\]", line):
            self._done, self._total, self._unit = int(found[1]), 100, ""

    def count_bytes(self, done: int, total: int) -> None:
        self._done, self._total, self._unit = done >> 20, total >> 20, " MB"

    def report(self) -> None:
        text = self._what
        if self._total:
            text += f": {self._done} / {self._total}{self._unit}"
            passed = time.monotonic() - self._started
            if 0 < self._done < self._total and passed > REPORT_SECONDS:
                left = passed / self._done * (self._total - self._done)
                text += f", time left: about {minutes(left)}"
        with suppress(OSError):  # nobody reads it any more
            print(f"Kandinsky: {text}", file=self._stream, flush=True)
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(text)
        self._lock.flush()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Reports until the end of the block."""
        over = threading.Event()

        def report() -> None:
            while not over.wait(REPORT_SECONDS):
                self.report()

        thread = threading.Thread(target=report, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(10, round(seconds, -1)):.0f} s"
