"""Splits the time of one of the engine's jobs by what the engine reports about its stages."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class StageClock:
    """Listens to an engine's on_progress while it is entered.

    The time up to a report of a finished step belongs to that step's stage. The time up to the
    report before a stage's first step, and after the last report, belongs to none.
    """

    def __init__(self, engine: Any, now: Callable[[], float] = time.perf_counter) -> None:
        self._engine = engine
        self._now = now
        self.spans: list[tuple[str, float]] = []

    def __enter__(self) -> StageClock:
        self._engine.on_progress = self._report
        self.start = self._last = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.on_progress = None
        end = self._now()
        self.spans.append(("", end - self._last))
        self.total = end - self.start

    def _report(self, progress: Any) -> None:
        now = self._now()
        self.spans.append((progress.stage if progress.step else "", now - self._last))
        self._last = now

    def steps(self, stage: str) -> list[float]:
        """Seconds of each of the stage's steps."""
        return [span for name, span in self.spans if name == stage]

    def seconds(self, stage: str) -> float:
        return sum(self.steps(stage))

    def until_first(self, stage: str) -> float:
        """Everything up to the end of the stage's first step."""
        first = next(i for i, (name, _) in enumerate(self.spans) if name == stage)
        return sum(span for _, span in self.spans[: first + 1])

    def after(self, stage: str) -> float:
        """Everything after the stage's last step, without loading."""
        last = max(i for i, (name, _) in enumerate(self.spans) if name == stage)
        return sum(span for name, span in self.spans[last + 1 :] if name != "load")
