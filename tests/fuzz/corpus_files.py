"""What the makers of inputs share: where inputs go, and safetensors files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent

CORPUS = HERE / "corpus"

CONFIGS = HERE.parent / "support" / "configs"

SEPARATOR = b"\n====\n"


def put(target: str, name: str, content: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def tensor(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def header_of(entries: dict[str, object]) -> bytes:
    text = json.dumps(entries).encode()
    return text + b" " * (-len(text) % 8)


def safetensors_file(entries: dict[str, object], data: bytes) -> bytes:
    header = header_of(entries)
    return struct.pack("<Q", len(header)) + header + data
