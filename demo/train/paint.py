"""Paints prompts with the exported model through diffusers' own pipelines and counts what is right.

Two sets: 16 plain prompts, shown in a contact sheet, and random captions of the training world,
scored point by point by `judge`.
"""

from __future__ import annotations

import argparse
import collections
import time
from pathlib import Path

import numpy as np
import scenes
import torch
from common import MODEL, WORK
from diffusers import KandinskyPipeline, KandinskyPriorPipeline
from judge import verdict
from PIL import Image, ImageDraw
from scenes import Claims

PLAIN: list[tuple[str, Claims]] = [
    ("a red circle on a white background", Claims((("circle", "red", None),), "white")),
    ("a blue square on a yellow background", Claims((("square", "blue", None),), "yellow")),
    ("a green triangle", Claims((("triangle", "green", None),))),
    ("a small purple star on a cream background", Claims((("star", "purple", "small"),), "cream")),
    ("a large pink heart on a black background", Claims((("heart", "pink", "large"),), "black")),
    (
        "an orange ring in the top left corner",
        Claims((("ring", "orange", None),), None, "top left"),
    ),
    (
        "a red circle and a blue square",
        Claims((("circle", "red", None), ("square", "blue", None))),
    ),
    (
        "a yellow star above a green hexagon",
        Claims((("star", "yellow", None), ("hexagon", "green", None)), relation="above"),
    ),
    ("красный круг на белом фоне", Claims((("circle", "red", None),), "white")),
    ("синий квадрат на жёлтом фоне", Claims((("square", "blue", None),), "yellow")),
    ("зелёный треугольник", Claims((("triangle", "green", None),))),
    ("маленькая фиолетовая звезда на белом фоне", Claims((("star", "purple", "small"),), "white")),
    ("большое розовое сердце на чёрном фоне", Claims((("heart", "pink", "large"),), "black")),
    ("оранжевое кольцо справа внизу", Claims((("ring", "orange", None),), None, "bottom right")),
    (
        "красный круг и синий квадрат",
        Claims((("circle", "red", None), ("square", "blue", None))),
    ),
    (
        "чёрный крест слева от белого шестиугольника на зелёном фоне",
        Claims((("cross", "black", None), ("hexagon", "white", None)), "green", relation="left"),
    ),
]


class Painter:
    """Both pipelines, fp32 on the CPU; picture i of a call uses seed + i for prior and decoder."""

    def __init__(self, model: Path) -> None:
        self.prior = KandinskyPriorPipeline.from_pretrained(model / "kandinsky-demo-prior")
        self.decoder = KandinskyPipeline.from_pretrained(model / "kandinsky-demo")
        self.prior.set_progress_bar_config(disable=True)
        self.decoder.set_progress_bar_config(disable=True)

    def paint(
        self,
        prompts: list[str],
        seed: int,
        steps: int,
        guidance: float,
        prior_guidance: float,
        size: tuple[int, int] = (128, 128),
    ) -> list[np.ndarray]:
        def generators() -> list[torch.Generator]:
            return [torch.Generator().manual_seed(seed + i) for i in range(len(prompts))]

        embeds = self.prior(
            prompts, generator=generators(), guidance_scale=prior_guidance, num_inference_steps=25
        )
        pictures = self.decoder(
            prompts,
            image_embeds=embeds.image_embeds,
            negative_image_embeds=embeds.negative_image_embeds,
            generator=generators(),
            num_inference_steps=steps,
            guidance_scale=guidance,
            width=size[0],
            height=size[1],
            output_type="np",
        ).images
        return [np.rint(picture * 255).astype(np.uint8) for picture in pictures]


def sheet(pictures: list[np.ndarray], labels: list[str], columns: int = 4) -> Image.Image:
    """A contact sheet with a line of text under each picture."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    out = Image.new("RGB", (columns * (width + 8), rows * (height + 20)), "gray")
    pen = ImageDraw.Draw(out)
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        x, y = i % columns * (width + 8) + 4, i // columns * (height + 20) + 4
        out.paste(Image.fromarray(picture), (x, y))
        pen.text((x, y + height + 2), label[: width // 6], fill="white")
    return out


def score(pictures: list[np.ndarray], claims: list[Claims]) -> dict[str, tuple[int, int]]:
    """Right and asked, point by point; "all" is a picture right in every point."""
    right: collections.Counter[str] = collections.Counter()
    asked: collections.Counter[str] = collections.Counter()
    for picture, claim in zip(pictures, claims, strict=True):
        points = verdict(picture, claim)
        points["all"] = all(points.values())
        for name, value in points.items():
            asked[name] += 1
            right[name] += value
    return {name: (right[name], asked[name]) for name in asked}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--sheet", type=Path, default=WORK / "sheet.png")
    parser.add_argument("--random", type=int, default=0, help="random captions to score")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--prior-guidance", type=float, default=4.0)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 128), metavar=("W", "H"))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    painter = Painter(given.model)
    how = (given.steps, given.guidance, given.prior_guidance, tuple(given.size))

    began = time.monotonic()
    pictures = painter.paint([text for text, _ in PLAIN], given.seed, *how)
    print(f"{(time.monotonic() - began) / len(PLAIN):.2f} s a picture")
    labels = []
    for picture, (text, claims) in zip(pictures, PLAIN, strict=True):
        wrong = [name for name, good in verdict(picture, claims).items() if not good]
        print(f"{'right' if not wrong else 'wrong ' + ', '.join(wrong)}: {text}")
        labels.append("ok" if not wrong else "not " + ",".join(wrong))
    sheet(pictures, labels).save(given.sheet)
    print(given.sheet)
    if given.random:
        rng = np.random.default_rng(10**6 + 4)
        told = [
            scenes.random_description(scenes.random_scene(rng), rng) for _ in range(given.random)
        ]
        pictures = []
        for start in range(0, given.random, 16):
            some = [text for text, _ in told[start : start + 16]]
            pictures += painter.paint(some, given.seed + 1000 + start, *how)
        for one in (True, False):
            chosen = [i for i, (_, c) in enumerate(told) if (len(c.things) == 1) is one]
            print("one thing:" if one else "two things:")
            result = score([pictures[i] for i in chosen], [told[i][1] for i in chosen])
            for name, (right, asked) in result.items():
                print(f"  {name}: {right} of {asked} ({100 * right / asked:.0f} %)")


if __name__ == "__main__":
    main()
