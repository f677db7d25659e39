"""How far an engine is with the first reading of its weights, which takes minutes for large ones.

The engine calls nobody while it reads a component, but the system counts what a process has read.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kandinsky_ext import get
from kandinsky_ext.progress import REPORT_SECONDS, minutes

COUNTED = Path("/proc/self/io")
"""Where Linux tells it."""
SHOWN_SECONDS = 1.0
log = logging.getLogger("kandinsky")


def read_so_far() -> int | None:
    """Bytes that this process has read; None where nobody counts."""
    try:
        lines = COUNTED.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("rchar:")), None)


def weight_files(folder: Path) -> list[Path]:
    """Those in a model folder that the engine reads."""
    components = get.found.children(folder)
    return [file for component in components for file in get.found.weight_files(component)]


class Loading:
    """Of one engine. name: its model's. files: those that will be read."""

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        counter: Callable[[], int | None] = read_so_far,
    ) -> None:
        self._name = name
        self._total = sum(get.found.size_of(file) for file in files)
        self._counter = counter
        self._before = 0.0, 0
        """Seconds and bytes of the components that are loaded."""
        self._began: tuple[float, int | None] = 0.0, None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, show: Callable[[str], None]) -> None:
        """A component is being loaded: shows a line now and each second, and logs it each ten."""
        self.end()
        if self._before[1] >= self._total:
            # Read once; where memory is short, parts are read again and again.
            return
        self._began = time.monotonic(), self._counter()
        self._over.clear()
        show(self._text())
        self._thread = threading.Thread(target=self._report, args=(show,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """It is loaded, or will not be."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = None
        self._before = self._passed()

    def _report(self, show: Callable[[str], None]) -> None:
        logged = time.monotonic()
        while not self._over.wait(SHOWN_SECONDS):
            show(self._text())
            if time.monotonic() - logged >= REPORT_SECONDS:
                logged = time.monotonic()
                log.warning("Kandinsky: loading %s: %s", self._name, self._text())

    def _passed(self) -> tuple[float, int]:
        (seconds, read), (began, first), counted = self._before, self._began, self._counter()
        if counted is not None and first is not None:
            read += counted - first
        return seconds + time.monotonic() - began, read

    def _text(self) -> str:
        seconds, read = self._passed()
        if not 0 < read < self._total:
            return size(self._total)
        text = f"{size(read)} of {size(self._total)}"
        if seconds >= 1:
            text += f", about {minutes(seconds / read * (self._total - read))} left"
        return text


def size(count: int) -> str:
    """Bytes, for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
