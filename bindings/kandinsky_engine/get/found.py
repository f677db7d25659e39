"""What is on the disk: model folders of several layouts, and which files of a model are there."""

from __future__ import annotations

import json
import os
import re
import zipfile
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
_WEIGHTS = {
    ".safetensors": ("diffusion_pytorch_model", "model"),
    ".bin": ("diffusion_pytorch_model", "pytorch_model"),
}
"""Names of weight files that the engine looks for in a component's folder, in its order."""


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
    if is_file(root / INDEX):
        yield root.name, root
    for child in children(root):
        cached = _CACHED.fullmatch(child.name)
        if is_file(child / INDEX):
            yield child.name, child
        elif cached is not None:
            snapshot = _snapshot(child)
            if snapshot is not None:
                yield cached["name"], snapshot


def children(folder: Path) -> list[Path]:
    """The folders in a folder, by name; none where it cannot be read."""
    return [path for path in entries(folder) if is_dir(path)]


def entries(folder: Path) -> list[Path]:
    """What is in a folder, by name; none where it cannot be read."""
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError:
        return []


# Path's own functions raise PermissionError where nobody may look, as in ext4's lost+found.
def is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113


def is_dir(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def _snapshot(repository: Path) -> Path | None:
    """The one that the main branch names, if it is here; else the newest."""
    snapshots = [path for path in children(repository / "snapshots") if is_file(path / INDEX)]
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
    """Reads sizes and headers of weight files, nothing else. Weights in another form that the
    engine reads stand for those of the part.
    """
    states: dict[str, FileState] = {}
    total = 0
    for file in part.files:
        path = folder / file.path
        try:
            size = path.stat().st_size
        except OSError:
            # A download may rename them meanwhile.
            parts = [size_of(piece) for piece in pieces(path)]
            others = weight_files(path.parent) if path.suffix == ".safetensors" else []
            if others and all(_is_whole(other) for other in others):
                states[file.path] = "there"
            else:
                states[file.path] = "partial" if parts or others else "missing"
            total += sum(parts) + sum(size_of(other) for other in others)
            continue
        fits = file.size in (None, size) and _is_whole(path)
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
    return [other for other in entries(path.parent) if middle.fullmatch(other.name)]


def weight_files(folder: Path) -> list[Path]:
    """Those that the engine reads a component's weights from, empty for none. An index may name
    some that are missing.
    """
    for suffix, stems in _WEIGHTS.items():
        for variant in ("", ".fp16"):
            for stem in stems:
                if is_file(single := folder / f"{stem}{variant}{suffix}"):
                    return [single]
            for stem in stems:
                index = folder / f"{stem}{suffix}.index{variant}.json"
                if is_file(index):
                    return _shards(index)
    return []


def _shards(index: Path) -> list[Path]:
    """The files that an index names, in its own folder."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        names = json.loads(index.read_bytes())["weight_map"].values()
        return [index.parent / Path(name).name for name in sorted(set(names))]
    return []


def _is_whole(path: Path) -> bool:
    """Whether nothing is cut off or replaced, as far as size and header tell."""
    if path.suffix == ".safetensors":
        size = size_of(path)
        return size > 0 and safetensors_size(path) == size
    return path.suffix != ".bin" or _is_whole_checkpoint(path)


def _is_whole_checkpoint(path: Path) -> bool:
    """Of PyTorch: a zip has its directory at the end; what PyTorch wrote before 1.6 is a pickle,
    whose beginning does not tell where it ends.
    """
    with suppress(OSError):
        with path.open("rb") as file:
            start = file.read(2)
        return zipfile.is_zipfile(path) if start == b"PK" else start == b"\x80\x02"
    return False


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
        places += [root / part.folder for root in roots if is_dir(root / part.folder)]
        seen = [state(part, folder) for folder in dict.fromkeys(places)]
        seen = [one for one in seen if one.has_some]
        found.append(max(seen, key=lambda one: (one.is_whole, one.bytes), default=None))
    return ModelState(tuple(found))
