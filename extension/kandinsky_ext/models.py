"""Model folders: where they are looked for and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kandinsky_ext import engine
from kandinsky_ext.controls import AUTOMATIC_MODEL
from kandinsky_ext.engine import EngineUnavailableError
from kandinsky_ext.errors import UserError

INDEX = "model_index.json"


@dataclass(frozen=True)
class Model:
    name: str
    folder: Path


def find(roots: Sequence[Path]) -> list[Model]:
    """The models in these folders, in their order, then by name. A root may itself be a model.

    A folder whose index cannot be read is listed all the same: opening it gives the reason. A name
    that came up before is written with its parent folder's.
    """
    found: dict[str, Model] = {}
    seen: set[Path] = set()
    for root in roots:
        for folder in (root, *_children(root)):
            resolved = folder.resolve()
            if resolved in seen or not _can_generate(folder):
                continue
            seen.add(resolved)
            name = folder.name
            if name in found or name == AUTOMATIC_MODEL:
                name = f"{folder.name} ({folder.parent.name})"
            found.setdefault(name, Model(name, folder))
    return list(found.values())


def choose(name: str, roots: Sequence[Path]) -> Model:
    """The model of that name, or the first one for "Automatic". Raises UserError with the folders
    looked in.

    Only names of the list are accepted, never paths: the name may come from a stranger's request.
    """
    found = find(roots)
    for model in found:
        if name in (AUTOMATIC_MODEL, model.name):
            return model
    places = ", ".join(str(root) for root in roots)
    if not found:
        raise UserError(f"There is no Kandinsky model. Looked in: {places}")
    names = ", ".join(model.name for model in found)
    raise UserError(
        f'There is no Kandinsky model "{name}". There are: {names}. Looked in: {places}'
    )


def names(roots: Sequence[Path]) -> list[str]:
    """The dropdown's words."""
    return [AUTOMATIC_MODEL, *(model.name for model in find(roots))]


def _children(root: Path) -> list[Path]:
    try:
        return sorted((path for path in root.iterdir() if path.is_dir()), key=lambda p: p.name)
    except OSError:
        return []


def _can_generate(folder: Path) -> bool:
    if not (folder / INDEX).is_file():
        return False
    try:
        package = engine.load_package()
    except EngineUnavailableError:
        return True  # nobody knows
    try:
        return package.recognize_folder(str(folder))[1] == "model"
    except Exception:  # opening it gives the reason
        return True
