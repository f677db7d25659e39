"""The page's download: one at a time, in a thread of its own, that outlives "Reload UI"."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kandinsky_ext import engine
from kandinsky_ext.get import download, hub, known, words
from kandinsky_ext.phrases import marked

RUNNING = "kandinsky-running"
"""A class in the status while it changes; the page's script looks for it."""


class Downloads:
    """Holds what was asked for last. What its methods return is HTML."""

    def __init__(self) -> None:
        self._current: download.Download | None = None
        self._answer = ""
        """What was said last: pages ask again and again."""

    def start(self, name: str, folder: Path) -> str:
        """Begins, or goes on with a model into a folder of models."""
        model = known.model(name)
        if model is None:
            return self._said(f'"{name}" cannot be downloaded: choose a model.')
        current = self._current
        if current is not None and current.progress().is_running:
            if current.model is not model:
                return self._said(f"{current.model.name} is being downloaded: wait, or pause it.")
        elif current is None or current.model is not model or current.folder != folder:
            # Read now: a person may mend HF_TOKEN and its like without a restart of the page.
            try:
                current = download.Download(model, folder, hub.Hub.of_environment())
            except hub.HubError as error:
                self._current = None
                return self._said(f"{error}.")
        self._current, self._answer = current, ""
        current.start()
        return self.status()

    def pause(self) -> str:
        self._answer = ""
        if self._current is not None:
            self._current.pause()
        return self.status()

    def cancel(self) -> str:
        current = self._current
        if current is None:
            return self.status()
        current.cancel()
        # Another one may have been pressed while that waited.
        if self._current is current:
            self._current = None
        return self._said(f"{current.model.name} is cancelled; unfinished files are removed.")

    def told(self) -> dict[str, Any] | None:
        """Likewise, for programs. None: nothing was asked for."""
        if self._current is None:
            return None
        progress = self._current.progress()
        names = ("state", "done", "total", "seconds_left", "message")
        return {
            "model": self._current.model.name,
            **{name: getattr(progress, name) for name in names},
        }

    def status(self) -> str:
        return self._state() + self._answer

    def _state(self) -> str:
        current = self._current
        if current is None:
            return ""
        progress, name = current.progress(), current.model.name
        if progress.state == "done":
            return _line(
                f"{name} is downloaded to {current.folder}. The refresh button beside the model "
                "shows it."
            )
        if progress.state == "paused":
            return _line(f"{name} is paused. Download resumes it.")
        if progress.state == "failed":
            return _line(f"{name}: {progress.message} Press Download to try again.")
        if not progress.is_running:
            return ""
        of = f' value="{progress.done}" max="{progress.total}"' if progress.total else ""
        text = marked(f"{name}: {words.progress(progress)}")
        return f'<div class="{RUNNING}"><progress{of} style="width: 100%"></progress>{text}</div>'

    def _said(self, text: str) -> str:
        self._answer = _line(text)
        return self.status()


downloads = Downloads()


def table(places: Sequence[Path]) -> str:
    """The known models, and where they are."""
    head = "".join(f"<th>{word}</th>" for word in ("Model", "Size", "Licence", "Here"))
    lines = "".join(
        f"<tr><td><b>{html.escape(row.name)}</b><span>{marked(row.what)}</span>"
        f"{''.join(f'<span>{html.escape(str(folder))}</span>' for folder in row.folders)}</td>"
        f"{''.join(f'<td>{marked(word)}</td>' for word in (row.size, row.licence, row.here))}"
        "</tr>"
        for row in words.rows(places, engine.families())
    )
    return f'<table class="kandinsky-models"><tr>{head}</tr>{lines}</table>'


def _line(text: str) -> str:
    return f"<div>{marked(text)}</div>"
