"""What is on the disk: model folders of several layouts, and which files of a model are there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .known import INDEX, Model, Part

PART_SUFFIX = ".part"
_CACHED = re.compile(r"models--(?:[^-].*?--)?(?P<name>[^/]+)")
"""A repository's folder in the hub's cache: models--<owner>--<name>."""
_REVISION = re.compile(r"[0-9a-f]{40}")
_LARGEST_HEADER = 100 << 20
"""Of a safetensors file, by its own rules."""


def hub_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where huggingface_hub keeps what it downloads."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return Path(environ[variable]).expanduser()
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]).expanduser() / "hub"
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def folders(root: Path) -> Iterator[tuple[str, Path]]:
    """The model folders of a root, with their names: the root itself, those in it, and the
    snapshots of a cache of the hub's. Those of diffusers' other users are such caches, too.
    """
    if (root / INDEX).is_file():
        yield root.name, root
    for child in children(root):
        cached = _CACHED.fullmatch(child.name)
        if (child / INDEX).is_file():
            yield child.name, child
        elif cached is not None:
            snapshot = _snapshot(child)
            if snapshot is not None:
                yield cached["name"], snapshot


def children(folder: Path) -> list[Path]:
    """The folders in a folder, by name; none where it cannot be read."""
    try:
        return sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda p: p.name)
    except OSError:
        return []


def _snapshot(repository: Path) -> Path | None:
    """The one that the main branch names, if it is here; else the newest."""
    snapshots = [path for path in children(repository / "snapshots") if (path / INDEX).is_file()]
    try:
        main = (repository / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        main = ""
    for snapshot in snapshots:
        if snapshot.name == main:
            return snapshot
    return max(snapshots, key=lambda path: path.stat().st_mtime, default=None)


FileState = Literal["there", "partial", "missing"]


@dataclass(frozen=True)
class PartState:
    """What a folder has of a part."""

    folder: Path
    states: Mapping[str, FileState]
    bytes: int
    """There, of whole files and of broken ones."""
    is_whole: bool

    @property
    def has_some(self) -> bool:
        return any(state != "missing" for state in self.states.values())


def state(part: Part, folder: Path) -> PartState:
    """Reads sizes and headers of safetensors files, nothing else."""
    states: dict[str, FileState] = {}
    total = 0
    for file in part.files:
        path = folder / file.path
        try:
            size = path.stat().st_size
        except OSError:
            # A download may rename them meanwhile.
            parts = [size_of(piece) for piece in pieces(path)]
            states[file.path] = "partial" if parts else "missing"
            total += sum(parts)
            continue
        fits = file.size in (None, size) and (
            path.suffix != ".safetensors" or safetensors_size(path) == size
        )
        states[file.path] = "there" if fits else "partial"
        total += size
    needed = [file for file in part.files if not file.is_optional]
    return PartState(folder, states, total, all(states[file.path] == "there" for file in needed))


def size_of(path: Path) -> int:
    """0 for what is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def pieces(path: Path) -> list[Path]:
    """What unfinished downloads of a file have left."""
    middle = re.compile(re.escape(path.name) + r"\.[0-9a-f]{12}" + re.escape(PART_SUFFIX))
    try:
        return [other for other in path.parent.iterdir() if middle.fullmatch(other.name)]
    except OSError:
        return []


def safetensors_size(path: Path) -> int | None:
    """What the header of a safetensors file says about the file's size; None for none."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _LARGEST_HEADER:
                return None
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
        return 8 + length + int(max(ends, default=0))
    return None


@dataclass(frozen=True)
class ModelState:
    """Where the parts of a model are, each the best there is of it."""

    parts: tuple[PartState | None, ...]
    """None: nothing of it is anywhere."""

    @property
    def is_whole(self) -> bool:
        return bool(self.parts) and all(part and part.is_whole for part in self.parts)

    @property
    def has_some(self) -> bool:
        return any(self.parts)

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts if part)


def find(model: Model, roots: Sequence[Path]) -> ModelState:
    """Looks for a model's parts in folders that hold models."""
    named = [found for root in roots for found in folders(root)]
    found: list[PartState | None] = []
    for part in model.parts:
        # A folder that a download has begun has no index yet.
        places = [folder for name, folder in named if name == part.folder]
        places += [root / part.folder for root in roots if (root / part.folder).is_dir()]
        seen = [state(part, folder) for folder in dict.fromkeys(places)]
        seen = [one for one in seen if one.has_some]
        found.append(max(seen, key=lambda one: (one.is_whole, one.bytes), default=None))
    return ModelState(tuple(found))
