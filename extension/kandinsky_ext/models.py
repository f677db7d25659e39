"""Model folders: where they are looked for and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kandinsky_ext import engine, get
from kandinsky_ext.controls import AUTOMATIC_MODEL
from kandinsky_ext.engine import EngineUnavailableError
from kandinsky_ext.errors import UserError

HINTED = "hint"
GENERATING = ("model", HINTED)
"""Roles of the folders that images are made with."""


@dataclass(frozen=True)
class Model:
    """own_name: without what tells it from others. takes_hints: its images need depth maps."""

    name: str
    folder: Path
    own_name: str
    takes_hints: bool = False


def find(roots: Sequence[Path]) -> list[Model]:
    """The models in these folders, in their order, then by name, those of a folder that need hints
    behind its others. A root may itself be a model, or a cache of the hub's.

    A folder whose index cannot be read is listed all the same: opening it gives the reason. Caches
    are full of halves that nobody put there to be used; these are left out. A name that came up
    before is written with its root's.
    """
    models: dict[str, Model] = {}
    seen: set[Path] = set()
    listed = [(root, *found) for root in roots for found in get.found.folders(root)]
    roles = {folder: _role(folder, name) for _, name, folder in listed}
    listed.sort(key=lambda found: (roots.index(found[0]), roles[found[2]] == HINTED))
    for root, own_name, folder in listed:
        resolved = folder.resolve()
        if resolved in seen or roles[folder] not in GENERATING:
            continue
        seen.add(resolved)
        name = own_name
        if name in models or name == AUTOMATIC_MODEL:
            name = f"{name} ({folder.parent.name if folder == root else root.name})"
        models.setdefault(name, Model(name, folder, own_name, roles[folder] == HINTED))
    return list(models.values())


def places(roots: Sequence[Path]) -> tuple[str, ...]:
    """Where companions of a model lie, such as its prior: in a root, or beside one that is a model
    itself.
    """
    folders = [root.parent if get.found.is_file(root / get.known.INDEX) else root for root in roots]
    return tuple(str(folder) for folder in dict.fromkeys(folders) if _is_utf8(folder))


def _is_utf8(path: Path) -> bool:
    """What the engine takes in its lists of folders."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


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


def look_up(name: str, roots: Sequence[Path]) -> Model | None:
    """Likewise, None if it is not there."""
    try:
        return choose(name, roots)
    except UserError:
        return None


def names(roots: Sequence[Path]) -> list[str]:
    """The dropdown's words."""
    return [AUTOMATIC_MODEL, *(model.name for model in find(roots))]


def takes_hints(name: str, roots: Sequence[Path]) -> bool:
    """Whether the model of that name is there and needs hints."""
    model = look_up(name, roots)
    return model is not None and model.takes_hints


def _role(folder: Path, name: str) -> str:
    """As the engine calls it. Of what nobody knows: a model where somebody put it there as one of
    Kandinsky.
    """
    is_cached = folder.parent.name == "snapshots"
    try:
        package = engine.load_package()
    except EngineUnavailableError:
        return "" if is_cached and get.known.of_folder(name) is None else "model"
    try:
        role = str(package.recognize_folder(str(folder))[1])
        if is_cached and role in GENERATING:
            package.describe_folder(str(folder))
    except package.KandinskyError:  # opening it gives the reason
        return "" if is_cached else "model"
    return role
