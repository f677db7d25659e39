"""What guides pictures: the result of Engine.encode_prompts()."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

from kandinsky_engine import _arguments
from kandinsky_engine._load import core
from kandinsky_engine.errors import InvalidArgumentError


class Embeds:
    """One side's (positive or negative) guidance for a batch of pictures, in ordinary memory.

    Independent of the engine that made it, so it can be kept, mixed and saved.
    """

    def __init__(self, raw: core.Embeds) -> None:
        self._raw = raw

    @property
    def batch_size(self) -> int:
        return self._raw.batch_size

    def tensor(self, name: str) -> NDArray[np.float32]:
        """A copy of one tensor.

        name: "image_embeds" [B, E], "prompt_embeds" [B, E] or "text_encoder_hidden_states"
        [B, 77, X]. Raises InvalidArgumentError for another name.
        """
        return np.asarray(self._raw.tensor(_arguments.text("name", name)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a small safetensors file; an existing one is replaced whole or not at all."""
        self._raw.save(_arguments.path("path", path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Embeds:
        """Reads what save() wrote. Raises NotFoundError, CorruptFileError."""
        return cls(core.Embeds.load(_arguments.path("path", path)))

    @classmethod
    def combine(cls, items: Sequence[Embeds], weights: Sequence[SupportsFloat]) -> Embeds:
        """Mixes: image_embeds is the weighted sum of all items', the text part is the first item's.

        Weights need not add up to 1. Raises InvalidArgumentError for no items, items of different
        shapes, or weights that are not finite or not as many. Source: diffusers,
        KandinskyPriorPipeline.interpolate.
        """
        for i, item in enumerate(items):
            raw_embeds(f"items[{i}]", item)
        return cls(
            core.Embeds.combine(
                [item._raw for item in items],
                [_arguments.number(f"weights[{i}]", weight) for i, weight in enumerate(weights)],
            )
        )

    def __repr__(self) -> str:
        return f"<Embeds for {self.batch_size} pictures>"


def raw_embeds(name: str, value: Embeds) -> core.Embeds:
    """The `_core` object of an Embeds. Raises InvalidArgumentError for anything else."""
    if not isinstance(value, Embeds):
        raise InvalidArgumentError(f"{name}: Embeds are needed, got {type(value).__name__}")
    return value._raw
