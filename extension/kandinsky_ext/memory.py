"""What is worth keeping with an open engine: encoded images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from kandinsky_ext.digest import digest

KEPT_IMAGES = 16
"""Of 3 MB each at 1024x1024, mostly their pixels."""


class Recent(OrderedDict[Hashable, Any]):
    """Keeps the items used last."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self._kept = kept

    def get_or_make(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The item of this key, made if there is none."""
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        return self[key]

    def trim(self) -> None:
        """Lets the items go that were used longest ago."""
        while len(self) > self._kept:
            self.popitem(last=False)


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
