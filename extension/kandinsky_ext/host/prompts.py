"""The prompts of a batch as the host resolved them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modules import prompt_parser, shared

from kandinsky_ext.request import plain_text

EMPHASIS_REMARK = "Prompt: emphasis such as (word:1.3) has no effect on Kandinsky yet."
EDITING_REMARK = (
    "Prompt: Kandinsky cannot change the prompt while painting yet; "
    "the text of the last step was used."
)
AND_REMARK = "Prompt: Kandinsky does not weigh AND yet; the parts were read as one text."
NETWORKS_REMARK = "Prompt: Kandinsky has no use for extra networks such as <lora:...>."


def positive(p: Any, conditioning: Any) -> list[str]:
    """The batch's texts, from the structure whose leaves are the texts that the facade returned."""
    if getattr(p, "extra_network_data", None):
        p.comment(NETWORKS_REMARK)
    texts = []
    for parts in conditioning.batch:
        own = [_last(p, part.schedules) for part in parts]
        if len(own) > 1:
            p.comment(AND_REMARK)
            own = [" ".join(text.strip() for text in own)]
        texts.append(own[0])
    return [_plain(p, text) for text in texts]


def negative(p: Any, unconditional_conditioning: Any) -> list[str]:
    """Likewise for the negative prompts.

    A host may leave the structure out when guidance is off.
    """
    if unconditional_conditioning is None:
        texts = list(p.negative_prompts)
    else:
        texts = [_last(p, schedule) for schedule in unconditional_conditioning]
    return [_plain(p, text) for text in texts]


def _last(p: Any, schedule: Sequence[Any]) -> str:
    if len(schedule) > 1:
        p.comment(EDITING_REMARK)
    text = schedule[-1].cond
    assert isinstance(text, str)
    return text


def _plain(p: Any, text: str) -> str:
    if getattr(shared.opts, "emphasis", None) == "None":
        return text
    plain, weighted = plain_text(text, prompt_parser.parse_prompt_attention)
    if weighted:
        p.comment(EMPHASIS_REMARK)
    return plain
