"""Records the text that a host asks its own models with at each step: data/host_schedules.json.

Run in an environment with torch and lark, on a checkout of a host:

    python record_schedules.py <host's folder>

The host's parser makes the schedules, and its denoiser's lookup picks from them. That counts how
often the network was asked, from 0: once a step, or twice for the samplers that the host calls of
second order. Only the first time of each step is recorded, as a step of ours has one text.
"""

import json
import pathlib
import sys

import torch

PROMPTS = [
    *("plain", "[a:b:5]", "[a|b]", "[a|b|c]", "[fe|]male", "[a:b:0.5]", "[a:b:.25]", "[a:b:1.0]"),
    *("[a:b:0]", "[a:b:1]", "[a:b:2]", "[a:b:10]", "[a:b:11]", "[a:b:0.0]", "[a:b:1e9]"),
    *("[b:3]", "[a::3]", "[:b:3]", "x [a:b:-2] y", "[a:[b:c:7]:3]", "[[a|b]:c:4]", "[a:b:1.5]"),
    *("a [b:c:2] AND d [e|f] :0.5", "[a:b", "a:b:5]", "[:0]", "[::]", "[a:b:nan]"),
]
STEPS = [(10, None), (6, None), (1, None), (10, 7), (4, 8)]


def texts_at(parser, model, prompt, steps, hires_steps, asked, running):
    """The schedules of the parts of an AND, and the text of each part at each step that runs."""
    counted = [number and number * asked for number in (steps, hires_steps)]
    conditions = parser.get_multicond_learned_conditioning(model, [prompt], *counted)
    parts = [
        [(entry.end_at_step, model.texts[int(entry.cond[0])]) for entry in part.schedules]
        for part in conditions.batch[0]
    ]
    at_steps = []
    for step in range(running):
        _, rows = parser.reconstruct_multicond_batch(conditions, step * asked)
        at_steps.append([model.texts[int(row[0])] for row in rows])
    return parts, [list(texts) for texts in zip(*at_steps, strict=True)]


class Model:
    """Stands for the host's model: the condition of a text is its number."""

    def __init__(self):
        self.texts = []

    def get_learned_conditioning(self, texts):
        first = len(self.texts)
        self.texts.extend(texts)
        return [torch.tensor([float(first + i)]) for i in range(len(texts))]


def main():
    sys.path.insert(0, sys.argv[1])
    from modules import prompt_parser  # noqa: PLC0415  the host's

    rows = []
    for prompt in PROMPTS:
        for steps, hires_steps in STEPS:
            planned = hires_steps or steps
            for asked in (1, 2):
                for running in sorted({planned, (planned + 1) // 2}):
                    parts, texts = texts_at(
                        prompt_parser, Model(), prompt, steps, hires_steps, asked, running
                    )
                    row = {"prompt": prompt, "planned": planned, "running": running}
                    rows += [
                        {**row, "schedule": schedule, "texts": at_steps}
                        for schedule, at_steps in zip(parts, texts, strict=True)
                    ]
    unique = {json.dumps([*row.values()][1:]): json.dumps(row) for row in rows}
    file = pathlib.Path(__file__).parent / "data" / "host_schedules.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text("[\n" + ",\n".join(unique.values()) + "\n]\n", encoding="utf-8")
    print(len(unique), "schedules")


if __name__ == "__main__":
    main()
