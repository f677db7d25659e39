"""A plain version of the host's prompt language: (a:1.2), [a], `AND`, and [a:b:0.5]. Not nested."""

import re
from collections import namedtuple

ScheduledPromptConditioning = namedtuple("ScheduledPromptConditioning", ["end_at_step", "cond"])
_EDIT = re.compile(r"\[([^\[\]:]*):([^\[\]:]*):([0-9.]+)\]")
_ATTENTION = re.compile(r"\\[()\[\]]|\(([^():]*):([0-9.]+)\)|\(([^()]*)\)|\[([^\[\]]*)\]|\bBREAK\b")


class Composable:
    def __init__(self, schedules, weight=1.0):
        self.schedules = schedules
        self.weight = weight


class Multicond:
    def __init__(self, batch):
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


def _schedule(prompt, steps):
    edit = _EDIT.search(prompt)
    if edit is None:
        return [(steps, prompt)]
    when = float(edit.group(3))
    at = int(when * steps) if "." in edit.group(3) else int(when)
    texts = (prompt[: edit.start()] + edit.group(i) + prompt[edit.end() :] for i in (1, 2))
    return list(zip((at, steps), texts, strict=True))


def get_learned_conditioning(model, prompts, steps):
    result = []
    for prompt in prompts:
        schedule = _schedule(prompt, steps)
        conds = model.get_learned_conditioning([text for _, text in schedule])
        result.append(
            [
                ScheduledPromptConditioning(end, cond)
                for (end, _), cond in zip(schedule, conds, strict=True)
            ]
        )
    return result


def get_multicond_learned_conditioning(model, prompts, steps):
    batch = []
    for prompt in prompts:
        parts = re.split(r"\bAND\b", prompt)
        batch.append([Composable(s) for s in get_learned_conditioning(model, parts, steps)])
    return Multicond(batch)
