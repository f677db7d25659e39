"""A plain version of the host's prompt language: (a:1.2), [a], `AND`, [a:b:0.5] and [a|b].

Not nested.
"""

import re
from collections import namedtuple

ScheduledPromptConditioning = namedtuple("ScheduledPromptConditioning", ["end_at_step", "cond"])
_EDIT = re.compile(r"\[([^\[\]:]*):([^\[\]:]*):([0-9.]+)\]")
_ALTERNATE = re.compile(r"\[([^\[\]:]*(?:\|[^\[\]:]*)+)\]")
_ATTENTION = re.compile(r"\\[()\[\]]|\(([^():]*):([0-9.]+)\)|\(([^()]*)\)|\[([^\[\]]*)\]|\bBREAK\b")
_WEIGHT = re.compile(r"^(.*?)(?:\s*:\s*([-+]?[0-9.]+))?\s*$", re.DOTALL)


class ComposableScheduledPromptConditioning:
    def __init__(self, schedules, weight=1.0):
        self.schedules = schedules
        self.weight = weight


class MulticondLearnedConditioning:
    def __init__(self, shape, batch):
        self.shape = shape
        self.batch = batch


def parse_prompt_attention(text):
    pairs = []

    def add(part, weight):
        if part:
            pairs.append([part, weight])

    at = 0
    for match in _ATTENTION.finditer(text):
        add(text[at : match.start()], 1.0)
        at = match.end()
        whole = match.group(0)
        if whole == "BREAK":
            pairs.append(["BREAK", -1])
        elif whole.startswith("\\"):
            add(whole[1:], 1.0)
        elif match.group(2):
            add(match.group(1), float(match.group(2)))
        elif match.group(3) is not None:
            add(match.group(3), 1.1)
        else:
            add(match.group(4), 1 / 1.1)
    add(text[at:], 1.0)
    return pairs or [["", 1.0]]


def _schedule(prompt, steps, first_pass_steps):
    """[(end_at_step, text)]. In a hires pass, numbers count on from the first pass."""
    alternate = _ALTERNATE.search(prompt)
    if alternate is not None:
        words = alternate.group(1).split("|")
        before, after = prompt[: alternate.start()], prompt[alternate.end() :]
        return [(i + 1, before + words[i % len(words)] + after) for i in range(steps)]
    edit = _EDIT.search(prompt)
    if edit is None:
        return [(steps, prompt)]
    when = float(edit.group(3))
    if "." in edit.group(3):
        at = int((when - (1 if first_pass_steps else 0)) * steps)
    else:
        at = int(when) - first_pass_steps
    at = min(steps, at)
    texts = [prompt[: edit.start()] + edit.group(i) + prompt[edit.end() :] for i in (1, 2)]
    if at < 1:
        return [(steps, texts[1])]
    return [(at, texts[0]), (steps, texts[1])] if at < steps else [(steps, texts[0])]


def get_learned_conditioning_prompt_schedules(
    prompts, base_steps, hires_steps=None, use_old_scheduling=False
):
    steps, before = (base_steps, 0) if hires_steps is None else (hires_steps, base_steps)
    return [[[end, text] for end, text in _schedule(prompt, steps, before)] for prompt in prompts]


def get_learned_conditioning(model, prompts, steps, hires_steps=None, use_old_scheduling=False):
    result = []
    for schedule in get_learned_conditioning_prompt_schedules(prompts, steps, hires_steps):
        conds = model.get_learned_conditioning([text for _, text in schedule])
        result.append(
            [
                ScheduledPromptConditioning(end, cond)
                for (end, _), cond in zip(schedule, conds, strict=True)
            ]
        )
    return result


def get_multicond_learned_conditioning(
    model, prompts, steps, hires_steps=None, use_old_scheduling=False
):
    batch = []
    for prompt in prompts:
        parts = [_WEIGHT.match(part).groups() for part in re.split(r"\bAND\b", prompt)]
        schedules = get_learned_conditioning(
            model, [text for text, _ in parts], steps, hires_steps, use_old_scheduling
        )
        batch.append(
            [
                ComposableScheduledPromptConditioning(schedule, float(weight or 1.0))
                for schedule, (_, weight) in zip(schedules, parts, strict=True)
            ]
        )
    return MulticondLearnedConditioning((len(prompts),), batch)
