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


def negative(
    p: Any, conditioning: Any, unconditional_conditioning: Any, steps: Steps
) -> list[tuple[Phrase, ...]]:
    """Likewise for the negative prompts.

    A host may leave the structure out when guidance is off; the prior has its own guidance.
    """
    if unconditional_conditioning is None:
        schedules = _resolved_negative(p, conditioning)
    else:
        schedules = [_schedule(schedule) for schedule in unconditional_conditioning]
    return [phrases(schedule, steps) for schedule in schedules]


def _resolved_negative(p: Any, conditioning: Any) -> list[list[tuple[int, str]]]:
    """As the host resolves those of p's pass: by as many steps as the positive prompts."""
    count = conditioning.batch[0][0].schedules[-1].end_at_step
    is_hr_pass = getattr(p, "is_hr_pass", False)
    found = prompt_parser.get_learned_conditioning_prompt_schedules(
        p.hr_negative_prompts if is_hr_pass else p.negative_prompts,
        p.firstpass_steps if is_hr_pass else count,
        count if is_hr_pass else None,
        getattr(shared.opts, "use_old_scheduling", False),
    )
    return [[(int(end), _text(text)) for end, text in schedule] for schedule in found]


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
