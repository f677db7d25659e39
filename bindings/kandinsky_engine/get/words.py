"""Texts for users, on the command line and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import found, known

if TYPE_CHECKING:
    from .download import Progress


@dataclass(frozen=True)
class Row:
    """One model of a list."""

    name: str
    size: str
    licence: str
    here: str
    """Whether it is on this machine."""
    what: str
    folders: tuple[Path, ...]
    """Its folders, or those of parts of it."""


def rows(places: Sequence[Path], families: tuple[str, ...]) -> list[Row]:
    """All known models, and their state in the folders of models."""
    listed = []
    for model in known.MODELS:
        size, is_exact = known.size(model)
        state = found.find(model, places)
        notes = [model.title, model.note, known.unusable(model, families)]
        listed.append(
            Row(
                model.name,
                ("" if is_exact else "about ") + gigabytes(size),
                known.LICENCE,
                here(model, state),
                "; ".join(filter(None, notes)),
                tuple(part.folder for part in state.parts if part),
            )
        )
    for folder, demo in known.DEMOS.items():
        shipped = tuple(
            path for place in places for name, path in found.folders(place) if name == folder
        )
        notes = [demo.title, demo.note, known.unusable(demo, families)]
        listed.append(
            Row(
                demo.name,
                f"{demo.megabytes} MB",
                known.LICENCE,
                "yes" if shipped else "no",
                "; ".join(filter(None, notes)),
                shipped,
            )
        )
    return listed


def here(model: known.Model, state: found.ModelState) -> str:
    """How much of a model is installed."""
    if state.is_whole:
        return "yes"
    if not state.has_some:
        return "no"
    return f"partly: {gigabytes(state.bytes)} / {gigabytes(known.size(model)[0])}"


def progress(progress: Progress) -> str:
    """A running download, without a bar."""
    if progress.message:
        return progress.message
    if progress.state == "checking" or not progress.total:
        return f"checking {progress.file}"
    words = f"{gigabytes(progress.done)} / {gigabytes(progress.total)}"
    if progress.speed > 0:
        words += f", {progress.speed / 1e6:.1f} MB/s"
    if progress.seconds_left is not None:
        words += f", time left: {duration(progress.seconds_left)}"
    return words


def gigabytes(size: float) -> str:
    """Such as "5.0 GB", or "260.0 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """Such as "2 h 05 min", "3 min 20 s" or "8 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
