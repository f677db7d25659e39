"""The conditioning of images: the result of Engine.encode_prompts() and Engine.encode_images()."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from kandinsky_engine import _arguments
from kandinsky_engine._load import core
from kandinsky_engine.errors import InvalidArgumentError

_PICKLED = "embeds.safetensors"


class Embeds:
    """One side's (positive or negative) conditioning of a batch of images, in CPU memory.

    One row for each image. Independent of the engine that made it, so it can be kept, mixed,
    saved, pickled and sent to other processes. Immutable: copying returns the object itself.
    """

    def __init__(self, raw: core.Embeds) -> None:
        self._raw = raw

    @property
    def batch_size(self) -> int:
        return self._raw.batch_size

    def tensor(self, name: str) -> NDArray[np.float32]:
        """A copy of one tensor.

        name: "image_embeds" [B, E], "prompt_embeds" [B, E] or "text_encoder_hidden_states"
        [B, T, X], where T is 77 unless prompts were encoded in chunks. Raises InvalidArgumentError
        for another name.
        """
        return np.asarray(self._raw.tensor(_arguments.text("name", name)))

    def save(self, path: _arguments.AnyPath) -> None:
        """Writes a small safetensors file; an existing one is replaced atomically."""
        self._raw.save(_arguments.path("path", path))

    @classmethod
    def load(cls, path: _arguments.AnyPath) -> Embeds:
        """Reads what save() wrote. Raises NotFoundError, CorruptFileError."""
        return cls(core.Embeds.load(_arguments.path("path", path)))

    @classmethod
    def combine(
        cls,
        items: Iterable[Embeds],
        weights: Iterable[SupportsFloat],
        *,
        text: Embeds | None = None,
        method: str = "sum",
    ) -> Embeds:
        """Mixes embeds of one shape; an item with a single row is used for all rows of the others.

        weights: one per item, -1e6 to 1e6. method: "sum": image_embeds is the plain weighted sum of
        all items', weights need not sum to 1; "slerp": spherical interpolation by each item's
        share of the weights, none negative and not all 0. text: the item with the mix's text part,
        default the first. Raises InvalidArgumentError. Source: diffusers,
        KandinskyPriorPipeline.interpolate.
        """
        return cls(
            core.Embeds.combine(
                _raw_items(items),
                [
                    _arguments.number(f"weights[{i}]", weight)
                    for i, weight in enumerate(_arguments.several("weights", weights, "weights"))
                ],
                None if text is None else raw_embeds("text", text),
                _arguments.text("method", method),
            )
        )

    @classmethod
    def concat(cls, items: Iterable[Embeds]) -> Embeds:
        """All rows of all items, in order. Raises InvalidArgumentError for other shapes of rows."""
        return cls(core.Embeds.concat(_raw_items(items)))

    def select(self, rows: Iterable[SupportsIndex]) -> Embeds:
        """Copies of some rows, counted from 0, in the given order; rows may be repeated."""
        return Embeds(
            self._raw.select(
                [
                    _arguments.integer(f"rows[{i}]", row)
                    for i, row in enumerate(_arguments.several("rows", rows, "rows"))
                ]
            )
        )

    def __copy__(self) -> Embeds:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Embeds:
        return self

    def __reduce__(self) -> tuple[Callable[[bytes], Embeds], tuple[bytes]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _PICKLED
            self.save(path)
            return _unpickle, (path.read_bytes(),)

    def __repr__(self) -> str:
        return f"<Embeds for {self.batch_size} images>"


def _unpickle(content: bytes) -> Embeds:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _PICKLED
        path.write_bytes(content)
        return Embeds.load(path)


def raw_embeds(name: str, value: Embeds) -> core.Embeds:
    """The `_core` object of an Embeds. Raises InvalidArgumentError for anything else."""
    if not isinstance(value, Embeds):
        raise InvalidArgumentError(f"{name}: Embeds are needed, got {type(value).__name__}")
    return value._raw


def _raw_items(items: Iterable[Embeds]) -> list[core.Embeds]:
    return [
        raw_embeds(f"items[{i}]", item)
        for i, item in enumerate(_arguments.several("items", items, "Embeds"))
    ]
