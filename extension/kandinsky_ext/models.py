"""Model folders: where they are looked for and what they are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kandinsky_ext import engine, get
from kandinsky_ext.controls import AUTOMATIC_MODEL
from kandinsky_ext.engine import EngineUnavailableError
from kandinsky_ext.errors import UserError

COMPANIONS = {"-prior": ("prior", "text_encoder", "image_encoder"), "-inpaint": ("unet",)}
"""Folders that belong to a model, by the end of their name, and what has weights in them."""
WEIGHTS = ("unet", "movq", "text_encoder")
"""What has weights in a model's folder, if its index lists it."""
INDEX_LIMIT = 1 << 20
"""Characters that are read of it; real ones have a thousand."""


@dataclass(frozen=True)
class Model:
    """own_name: without what tells it from others.

    prior, inpaint: its companions that lie elsewhere; what lies beside it the engine finds.
    """

    name: str
    folder: Path
    own_name: str
    prior: Path | None = None
    inpaint: Path | None = None


def find(roots: Sequence[Path]) -> list[Model]:
    """The models in these folders, in their order, then by name. A root may itself be a model, or
    a cache of the hub's.

    A folder whose index cannot be read is listed all the same: opening it gives the reason. Caches
    are full of halves that nobody put there to be used; these are left out. A name that came up
    before is written with its root's.
    """
    models: dict[str, Model] = {}
    seen: set[Path] = set()
    everything: dict[str, Path] = {}
    listed = [(root, *found) for root in roots for found in get.found.folders(root)]
    for _, name, folder in listed:
        for suffix, components in COMPANIONS.items():
            if name.endswith(suffix) and (not _is_cached(folder) or _has(folder, components)):
                everything.setdefault(name, folder)
    for root, own_name, folder in listed:
        resolved = folder.resolve()
        if resolved in seen or not _can_generate(folder):
            continue
        if _is_cached(folder) and not _is_whole(folder):
            continue
        seen.add(resolved)
        name = own_name
        if name in models or name == AUTOMATIC_MODEL:
            name = f"{name} ({folder.parent.name if folder == root else root.name})"
        prior, inpaint = (
            _companion(folder, suffix, everything.get(own_name + suffix)) for suffix in COMPANIONS
        )
        models.setdefault(name, Model(name, folder, own_name, prior, inpaint))
    return list(models.values())


def _companion(folder: Path, suffix: str, elsewhere: Path | None) -> Path | None:
    """None: there is none, or it lies where the engine looks by itself."""
    resolved = folder.resolve()
    return None if resolved.with_name(resolved.name + suffix).is_dir() else elsewhere


def _is_cached(folder: Path) -> bool:
    return folder.parent.name == "snapshots"


def _is_whole(folder: Path) -> bool:
    """Whether all that its index lists of WEIGHTS is there."""
    try:
        with (folder / get.known.INDEX).open(encoding="utf-8") as file:
            index = json.loads(file.read(INDEX_LIMIT))
    except (OSError, ValueError, RecursionError):
        return False
    listed = [name for name in WEIGHTS if isinstance(index, dict) and name in index]
    return "movq" in listed and _has(folder, listed)


def _has(folder: Path, components: Sequence[str]) -> bool:
    """Whether each of these components has weights; links may lead nowhere."""
    return all(
        any(file.is_file() for file in (folder / component).glob("*.safetensors"))
        for component in components
    )


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


def _can_generate(folder: Path) -> bool:
    try:
        package = engine.load_package()
    except EngineUnavailableError:
        return True  # nobody knows
    try:
        return bool(package.recognize_folder(str(folder))[1] == "model")
    except package.KandinskyError:  # opening it gives the reason
        return True
