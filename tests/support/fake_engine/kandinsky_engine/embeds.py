"""Embeddings, and what guides an image by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kandinsky_engine.errors import InvalidArgumentError

CALLS: list[tuple[str, dict]] = []
"""Of the whole interface; Engine.calls."""


@dataclass(frozen=True)
class Condition:
    row: int
    image: int
    first_step: int
    last_step: int
    weight: float = 1.0


class Embeds:
    def __init__(self, image, text):
        self.image = np.asarray(image, dtype=np.float64)
        """[B, 3]: colours, 0..255."""
        self.text = np.asarray(text, dtype=np.float64)

    @property
    def batch_size(self):
        return len(self.image)

    def select(self, rows):
        return Embeds(self.image[list(rows)], self.text[list(rows)])

    @staticmethod
    def concat(items):
        return Embeds(
            np.concatenate([item.image for item in items]),
            np.concatenate([item.text for item in items]),
        )

    @staticmethod
    def combine(items, weights, *, text=None, method="sum"):
        CALLS.append(
            (
                "combine",
                {
                    "images": [item.image.copy() for item in items],
                    "weights": list(weights),
                    "method": method,
                },
            )
        )
        assert len(items) == len(weights)
        if method == "slerp" and (min(weights) < 0 or not any(weights)):
            raise InvalidArgumentError(f"weights are {weights}: slerp takes none below 0")
        image = sum(item.image * weight for item, weight in zip(items, weights, strict=True))
        return Embeds(image, (items[0] if text is None else text).text)


def guided(embeds, conditions, batch, steps, skipped):
    """A colour for each image: the mean over the steps that run of what guides it then."""
    colours = (embeds.image * 0.75 + embeds.text * 0.25) if embeds is not None else None
    if colours is None:
        return np.zeros((batch, 3))
    if conditions is None:
        assert len(colours) == batch
        return colours
    sums = np.zeros((batch, 3))
    covered = np.zeros((batch, steps + 1), dtype=bool)
    for condition in conditions:
        assert 1 <= condition.first_step <= condition.last_step <= steps
        assert 0 <= condition.row < len(colours)
        covered[condition.image, condition.first_step : condition.last_step + 1] = True
        ran = max(0, condition.last_step - max(condition.first_step - 1, skipped))
        sums[condition.image] += colours[condition.row] * condition.weight * ran
    assert covered[:, 1:].all(), "a step without a condition"
    return sums / max(1, steps - skipped)
