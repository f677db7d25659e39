"""The prompts of a batch as the host resolved them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modules import prompt_parser, shared

from kandinsky_ext.conditions import Phrase, Steps, phrases
from kandinsky_ext.errors import UserError
from kandinsky_ext.request import plain_text


def positive(conditioning: Any, steps: Steps) -> list[tuple[Phrase, ...]]:
    """What guides each image, from the structure whose leaves are the texts that the facade
    returned. The parts of an AND are phrases at the same steps, each with its weight.
    """
    return [
        tuple(
            phrase
            for part in parts
            for phrase in phrases(_schedule(part.schedules), steps, float(part.weight))
        )
        for parts in conditioning.batch
    ]


def negative(p: Any, unconditional_conditioning: Any, steps: Steps) -> list[tuple[Phrase, ...]]:
    """Likewise for the negative prompts.

    A host may leave the structure out when guidance is off.
    """
    if unconditional_conditioning is None:
        return [phrases([(steps.planned, _text(text))], steps) for text in p.negative_prompts]
    return [phrases(_schedule(schedule), steps) for schedule in unconditional_conditioning]


def emphasis() -> str:
    """The host's rule for (word:1.3): "Original", "No norm", "Ignore" or "None"; the last one
    leaves brackets alone.
    """
    if not getattr(shared.opts, "enable_emphasis", True):
        return "None"
    return str(getattr(shared.opts, "emphasis", "Original"))


def _schedule(schedule: Sequence[Any]) -> list[tuple[int, str]]:
    return [(int(entry.end_at_step), _text(entry.cond)) for entry in schedule]


def _text(text: Any) -> str:
    assert isinstance(text, str)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"Prompt: {error.object[error.start]!a} at position {error.start + 1} is half of a "
            "UTF-16 pair and not a character. Type it again, or fix the program that sent it."
        ) from None
    if emphasis() == "Ignore":
        return plain_text(text, prompt_parser.parse_prompt_attention)
    return text
