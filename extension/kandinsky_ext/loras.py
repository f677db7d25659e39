"""LoRA files that a prompt names: <lora:name:weight>, as users of the hosts write it.

Source: AUTOMATIC1111/stable-diffusion-webui, extensions-builtin/Lora.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kandinsky_ext.errors import UserError

SUFFIXES = (".safetensors", ".pt", ".ckpt", ".bin")
LARGEST_HEADER = 10 << 20
"""Bytes of a safetensors file's header that are read for an alias; real ones have some thousands.
"""
TITLE_KEY = "ss_output_name"
"""What trainers call the file, whatever its name is now."""

Loras = Mapping[str, int]
"""FILE:WEIGHT as the engine takes it, and when the file was last written, in nanoseconds."""


@dataclass(frozen=True)
class Tag:
    """What a prompt asks for. differs: it has another weight for the text encoder."""

    name: str
    weight: float
    differs: bool


def read(parts: Sequence[str]) -> Tag:
    """The parts of a tag between its colons, behind "lora": a name, the weights of text encoder and
    UNet, also as te=0.5 and unet=0.5. One weight is for both. Raises UserError for one that is
    none.
    """
    named = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
    plain = [part for part in parts[1:] if "=" not in part]
    try:
        text = float(named.get("te", plain[0] if plain else 1))
        unet = float(named.get("unet", plain[1] if len(plain) > 1 else text))
    except ValueError:
        raise UserError(
            f'Prompt: "<lora:{":".join(parts)}>" has a weight that is not a number, expected '
            f'"<lora:{parts[0]}:0.8>"'
        ) from None
    return Tag(parts[0], unet, text != unet)


def find(name: str, files: Sequence[Path]) -> Path | None:
    """The last file of that name, or else the last one that its trainer called so."""
    named = [file for file in files if file.stem == name]
    named = named or [file for file in files if _title(file, _written(file)) == name]
    return named[-1] if named else None


def chosen(tags: Sequence[Tag], files: Sequence[Path]) -> tuple[Loras, list[str]]:
    """What the engine is to merge, in an order that does not depend on the prompt's, and the names
    that no file has.
    """
    found = {tag.name: find(tag.name, files) for tag in tags}
    texts = {
        f"{path}:{tag.weight!r}": _written(path)
        for tag in tags
        if (path := found[tag.name]) is not None
    }
    return dict(sorted(texts.items())), [name for name, path in found.items() if path is None]


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=4096)
def _title(file: Path, written: int) -> str | None:
    """written: when, for the cache."""
    if file.suffix != ".safetensors":
        return None
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = opened.read(length) if length <= LARGEST_HEADER else b""
        return str(json.loads(header)["__metadata__"][TITLE_KEY])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
