"""A short name for a model's weights, which survives the renaming of its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kandinsky_ext.engine import EngineUnavailableError, load_package
from kandinsky_ext.loading import weight_files

if TYPE_CHECKING:
    from kandinsky_ext.models import Model

DIGITS = 10

_known: dict[Path, tuple[tuple[object, ...], str]] = {}
"""By folder: what its files looked like, and their hash."""


def of(folder: Path) -> str | None:
    """The first digits of the engine's folder_digest(). None where there are no weights, where they
    cannot be read, and without an engine.
    """
    try:
        package = load_package()
        files = weight_files(folder)
        looks = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        known = _known.get(folder)
        if known is None or known[0] != looks:
            known = _known[folder] = looks, package.folder_digest(str(folder))[:DIGITS]
    except (EngineUnavailableError, OSError):
        return None
    except package.KandinskyError:
        return None
    return known[1]


def find(wanted: str, models: Iterable[Model]) -> Model | None:
    """The first of the models that has this hash."""
    return next((model for model in models if of(model.folder) == wanted), None)
