"""Parts of a model that are taken from elsewhere: where their files lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kandinsky_ext import get
from kandinsky_ext.controls import BY_FIELD, COMPONENTS, CONTROLS, Settings
from kandinsky_ext.errors import UserError
from kandinsky_ext.rows import Choice

FOLDERS = {
    row.option: row.source
    for row in CONTROLS
    if isinstance(row, Choice) and row.group is COMPONENTS
}
"""Folders beside the models, by the engine's option."""
SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".th", ".bin")
CONFIG = "config.json"
_MARKED = re.compile(r"(.+) \[[0-9a-f]{8}\]")
"""A file as the engine reports it: its name, and a mark of its content."""


def find(folder: str, roots: Sequence[Path]) -> dict[str, Path]:
    """The files, and folders in diffusers' layout, that are in a folder of this name in the roots;
    of equal names the first. A root that is itself a model has its own weights there.
    """
    found: dict[str, Path] = {}
    for root in roots:
        if get.found.is_file(root / get.known.INDEX):
            continue
        for path in get.found.entries(root / folder):
            if path.suffix.lower() in SUFFIXES or get.found.is_file(path / CONFIG):
                found.setdefault(path.name, path)
    return found


def names(folder: str, roots: Sequence[Path]) -> list[str]:
    """The dropdown's values: the model's own, and what there is."""
    return ["", *find(folder, roots)]


def bare(name: str) -> str:
    """Without its mark, if it has one."""
    marked = _MARKED.fullmatch(name)
    return marked[1] if marked else name


def paths(settings: Settings, roots: Sequence[Path]) -> dict[str, str]:
    """What the settings choose, by the engine's option, "" for the model's own.

    Raises UserError for what is not there. Only names are accepted, never paths: they may come from
    a stranger's request.
    """
    return {option: _path(option, settings, roots) for option in FOLDERS}


def _path(option: str, settings: Settings, roots: Sequence[Path]) -> str:
    row = BY_FIELD[option]
    name = bare(getattr(settings, row.field))
    if not name:
        return ""
    folder = FOLDERS[option]
    found = find(folder, roots)
    if name not in found:
        offered = ", ".join(map(row.shown, ["", *found]))
        places = ", ".join(str(root / folder) for root in roots)
        raise UserError(f'"{row.label}" is {name!r}: expected {offered}. Looked in: {places}')
    return str(found[name])
