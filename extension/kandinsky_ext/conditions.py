"""Which text guides which image at which step, in the engine's counting.

A host's schedule is a list of (end_at_step, text), and the last end is how often the host plans to
ask its network: once a step, or twice with some samplers. It takes the first text whose end is not
below the number of times it has asked so far, which is 0 at the first step. So a text that ends
with 5 guides six steps. Where a run starts from an image, the host counts the steps that run, the
engine those of the whole schedule. A step of the engine has one text: that of the first asking.

Source: AUTOMATIC1111/stable-diffusion-webui, prompt_parser.reconstruct_cond_batch and the counter
in sd_samplers_cfg_denoiser; Forge has the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Schedule = Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Steps:
    """planned: what the person asked for, and the host's schedules of texts count. total: the
    engine's whole schedule. running: its last ones, which are run.
    """

    planned: int
    total: int
    running: int

    @classmethod
    def all_of(cls, steps: int) -> Steps:
        """Those of a run that starts from noise."""
        return cls(steps, steps, steps)


@dataclass(frozen=True)
class Phrase:
    """A text at work from one step of the engine's schedule, counted from 1, to another."""

    text: str
    first_step: int
    last_step: int
    weight: float = 1.0


@dataclass(frozen=True)
class Row:
    """What one row of embeds is made from. A negative prompt of None is absent."""

    text: str
    negative_prompt: str | None
    seed: int


@dataclass(frozen=True)
class Guide:
    """One side of a batch: rows of embeds, the image of each, and what they do.

    conditions: (row, image, first_step, last_step, weight), or None where row i just guides
    image i.
    """

    rows: tuple[Row, ...]
    images: tuple[int, ...]
    conditions: tuple[tuple[int, int, int, int, float], ...] | None


def phrases(schedule: Schedule, steps: Steps, weight: float = 1.0) -> tuple[Phrase, ...]:
    """A host's schedule in the engine's counting. Together they cover all steps, run or not."""
    counted = schedule[-1][0]
    skipped = steps.total - steps.running
    found: list[Phrase] = []
    after = 0
    for end, text in schedule:
        last = min(end * steps.planned // counted + 1, steps.running)
        if last <= after:
            continue
        first = skipped + after + 1 if found else 1
        if found and found[-1].text == text:
            first = found.pop().first_step
        found.append(Phrase(text, first, skipped + last, weight))
        after = last
    last_one = found[-1]
    found[-1] = Phrase(last_one.text, last_one.first_step, steps.total, weight)
    return tuple(found)


def positive_guide(
    positives: Sequence[Sequence[Phrase]],
    negatives: Sequence[Sequence[Phrase]],
    seeds: Sequence[int],
) -> Guide:
    """The positive side of a batch; positives, negatives: the phrases of each image."""
    return _guide(
        positives,
        lambda i, phrase: Row(
            phrase.text, at_step(negatives[i], phrase.first_step) or None, seeds[i]
        ),
    )


def negative_guide(
    positives: Sequence[Sequence[Phrase]],
    negatives: Sequence[Sequence[Phrase]],
    seeds: Sequence[int],
) -> Guide:
    """The negative side; its rows are those of the positive side where texts meet."""
    return _guide(
        negatives,
        lambda i, phrase: Row(
            at_step(positives[i], phrase.first_step), phrase.text or None, seeds[i]
        ),
    )


def at_step(parts: Sequence[Phrase], step: int) -> str:
    """The text at work then, the first of several."""
    return next(part.text for part in parts if part.first_step <= step <= part.last_step)


def _guide(sides: Sequence[Sequence[Phrase]], row_of: Callable[[int, Phrase], Row]) -> Guide:
    rows: list[Row] = []
    images: list[int] = []
    conditions: list[Any] = []
    for image, side in enumerate(sides):
        places: dict[Row, int] = {}
        for phrase in side:
            row = row_of(image, phrase)
            if row not in places:
                places[row] = len(rows)
                rows.append(row)
                images.append(image)
            conditions.append(
                (places[row], image, phrase.first_step, phrase.last_step, phrase.weight)
            )
    plain = all(len(side) == 1 and side[0].weight == 1 for side in sides)
    return Guide(tuple(rows), tuple(images), None if plain else tuple(conditions))
