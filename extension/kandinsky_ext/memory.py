"""What is worth keeping with an open engine: embeddings and encoded images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from kandinsky_ext.conditions import Row
from kandinsky_ext.digest import digest

KEPT_ROWS = 64
"""20 MB with the full-size model's 77 x 1024 float32 a side."""
KEPT_IMAGES = 16
"""Of 3 MB each at 1024x1024, mostly their pixels."""
ROWS_AT_ONCE = 64
"""The engine's largest batch."""

Options = dict[str, Any]
Pair = tuple[Any, Any]


class Recent(OrderedDict[Hashable, Any]):
    """Keeps the items used last."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self._kept = kept

    def get_or_make(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The item of this key, made if there is none."""
        if key not in self:
            self[key] = make()
        return self.used(key)

    def used(self, key: Hashable) -> Any:
        """The item of this key, which stays for longer then."""
        self.move_to_end(key)
        return self[key]

    def trim(self, needed: int = 0) -> None:
        """Lets the items go that were used longest ago, but never the last `needed` ones."""
        while len(self) > max(self._kept, needed):
            self.popitem(last=False)


class Embedder:
    """Embeds of prompts, each row encoded once, and of images."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._rows = Recent(KEPT_ROWS)
        self._images = Recent(KEPT_IMAGES)

    def calls(self, rows: list[Row], options: Options) -> list[list[Row]]:
        """The rows that are not kept yet, in groups that one call of the engine can encode.

        It takes negative prompts for all rows of a call or for none, and absent is not the same as
        empty: without this, an image would depend on its neighbours.
        """
        missing = [row for row in dict.fromkeys(rows) if _key(row, options) not in self._rows]
        groups = []
        for absent in (False, True):
            group = [row for row in missing if (row.negative_prompt is None) == absent]
            groups += [group[at : at + ROWS_AT_ONCE] for at in range(0, len(group), ROWS_AT_ONCE)]
        return groups

    def encode(self, group: list[Row], options: Options) -> None:
        """Encodes one of those groups and keeps its rows, with the engine's remarks on them."""
        remarks: list[str] = []
        self._engine.on_message = remarks.append
        try:
            sides = self._engine.encode_prompts(
                [row.text for row in group],
                None
                if group[0].negative_prompt is None
                else [row.negative_prompt for row in group],
                seeds=[row.seed for row in group],
                **options,
            )
        finally:
            self._engine.on_message = None
        for place, row in enumerate(group):
            pair = tuple(side.select([place]) for side in sides)
            self._rows[_key(row, options)] = pair, remarks

    def row(self, row: Row, options: Options) -> tuple[Pair, list[str]]:
        """The positive and negative embeds of a row that is kept, and the remarks."""
        kept: tuple[Pair, list[str]] = self._rows.used(_key(row, options))
        return kept

    def image(self, pixels: npt.NDArray[np.uint8]) -> Any:
        """Embeds of an image, one row."""
        made = self._images.get_or_make(
            digest(pixels), lambda: self._engine.encode_images([pixels])
        )
        self._images.trim()
        return made

    def trim(self, needed: int) -> None:
        """Lets old rows go, but none of the last `needed`."""
        self._rows.trim(needed)

    def clear(self) -> None:
        self._rows.clear()
        self._images.clear()


class EncodedImages:
    """Latents of images, and the way back: an unchanged image need not be decoded."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._latents = Recent(KEPT_IMAGES)
        self._images = Recent(KEPT_IMAGES)

    def latents(
        self, image: npt.NDArray[np.uint8], *, tiling: bool, cut: Callable[[Any], Any]
    ) -> npt.NDArray[np.float32]:
        """Latents of one image [1, H, W, 3], as `cut` leaves them. Each is encoded once."""
        made: npt.NDArray[np.float32] = self._latents.get_or_make(
            (digest(image), tiling),
            lambda: cut(self._engine.encode(image, tiling=tiling)),
        )
        self._images[digest(made)] = image
        self._latents.trim()
        self._images.trim()
        return made

    def image(self, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8] | None:
        """The image that was encoded to just these latents."""
        found: npt.NDArray[np.uint8] | None = self._images.get(digest(latents))
        return found

    def clear(self) -> None:
        self._latents.clear()
        self._images.clear()


def _key(row: Row, options: Options) -> Hashable:
    return row, tuple(sorted(options.items()))
