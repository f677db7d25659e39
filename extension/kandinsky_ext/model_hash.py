"""A short name for a model's weights, which survives the renaming of its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kandinsky_ext.models import Model

PIECES = 16
PIECE = 64 << 10
"""Bytes. Weights of other training differ everywhere, so parts of a file tell them apart; reading
it whole takes as long as loading the model.
"""
DIGITS = 10
VARIANT = ".fp16."
"""In the names of files that count only where a component has no others, as for the engine."""

_known: dict[Path, tuple[tuple[object, ...], str]] = {}
"""By folder: what its files looked like, and their hash."""


def of(folder: Path) -> str | None:
    """The first digits of the SHA-256 of the names, sizes and pieces of the weight files in
    the folder's component folders. None where there are none, or where they cannot be read.
    """
    try:
        files = weight_files(folder)
        looks = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        known = _known.get(folder)
        if known is None or known[0] != looks:
            known = _known[folder] = looks, _hash(folder, files)
    except OSError:
        return None
    return known[1][:DIGITS] if files else None


def find(wanted: str, models: Iterable[Model]) -> Model | None:
    """The first of the models that has this hash."""
    return next((model for model in models if of(model.folder) == wanted), None)


def weight_files(folder: Path) -> list[Path]:
    """Those that the engine reads."""
    found: list[Path] = []
    for component in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(component.glob("*.safetensors")) or sorted(component.glob("*.bin"))
        found += [file for file in files if VARIANT not in file.name] or files
    return found


def _hash(folder: Path, files: list[Path]) -> str:
    hashed = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        hashed.update(f"{file.relative_to(folder).as_posix()}:{size}\n".encode())
        last = max(0, size - PIECE)
        with file.open("rb") as opened:
            for start in sorted({last * piece // (PIECES - 1) for piece in range(PIECES)}):
                opened.seek(start)
                hashed.update(opened.read(PIECE))
    return hashed.hexdigest()
