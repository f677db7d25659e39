"""Generates the gallery of the documentation: every mode and every sampler, with the demo model.

    .venv/bin/python demo/gallery.py                 # docs/gallery/*.webp, all sheets
    .venv/bin/python demo/gallery.py mixing tiling   # some of them
    .venv/bin/python demo/gallery.py --model models/Kandinsky/kandinsky-2-1 --output gallery mixing

Needs kandinsky_engine as `make build` leaves it in build/python. docs/gallery.md shows the sheets.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from generate import PROMPTS, ROOT, contact_sheet, load_font
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from kandinsky_engine import Embeds, Engine

PROMPT = "a red circle on a white background"
OTHER = "a blue square on a white background"
STEPS = 20
SAMPLER = "DPM++ 2M"
SIDE = 128  # of an image on a sheet, in pixels, at least

DEMO = "kandinsky-demo"
DEMO_2_2 = "kandinsky-demo-2-2"
DEMO_DEPTH = "kandinsky-demo-2-2-depth"

Cell = tuple[str, np.ndarray]
"""A caption and its image, uint8 [H, W, 3]."""


@dataclass(frozen=True)
class Gallery:
    """What every sheet needs: the engine, and a size that its model knows."""

    engine: Engine
    package: Any
    size: int

    def options(self, seed: int = 1, **changes: Any) -> dict[str, Any]:
        """Settings that all images share, with changes."""
        shared = {"width": self.size, "height": self.size, "seeds": [seed], "sampler": SAMPLER}
        return {**shared, "num_inference_steps": STEPS, **changes}

    def text(self, prompt: str, seed: int = 1, **changes: Any) -> np.ndarray:
        return self.engine.text_to_image([prompt], **self.options(seed, **changes))[0]

    def embeds(self, *prompts: str, seed: int = 1) -> tuple[Embeds, Embeds]:
        return self.engine.encode_prompts(list(prompts), seeds=[seed] * len(prompts))

    @cached_property
    def source(self) -> np.ndarray:
        """The image that image to image, inpainting and mixing start from."""
        return self.text(PROMPT, num_inference_steps=50)


def samplers(gallery: Gallery) -> Iterator[Cell]:
    for sampler in gallery.package.samplers():
        for steps in (10, 20, 50):
            image = gallery.text(PROMPT, sampler=sampler, num_inference_steps=steps)
            yield f"{sampler}, {steps} steps", image


def schedulers(gallery: Gallery) -> Iterator[Cell]:
    for scheduler in gallery.package.schedulers():
        image = gallery.text(PROMPT, scheduler=scheduler, num_inference_steps=10)
        yield f"{SAMPLER} {scheduler}, 10 steps", image


def image_to_image(gallery: Gallery) -> Iterator[Cell]:
    yield "start", gallery.source
    for strength in (0.2, 0.4, 0.6, 0.8, 0.9, 1.0):
        generated = gallery.engine.image_to_image(
            [OTHER], images=[gallery.source], strength=strength, **gallery.options(2)
        )
        yield f'"{OTHER}", strength {strength}', generated[0]


def inpainting(gallery: Gallery) -> Iterator[Cell]:
    size = gallery.size
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).rectangle((0, 0, size // 2, size // 2), fill=255)
    white = np.asarray(mask)
    yield "start", gallery.source
    yield "mask: white is generated", np.repeat(white[..., None], 3, axis=-1)
    for method in ("model", "blend"):
        for seed in (1, 2, 3):
            generated = gallery.engine.image_to_image(
                ["a blue star on a white background"],
                images=[gallery.source], masks=[white], strength=1.0, mask_method=method,
                **gallery.options(seed),
            )  # fmt: skip
            yield f'"a blue star", {method}, seed {seed}', generated[0]


def mixing(gallery: Gallery) -> Iterator[Cell]:
    seen = gallery.engine.encode_images([gallery.source])
    told, negative = gallery.embeds(OTHER)
    combine = gallery.package.Embeds.combine
    for method in ("sum", "slerp"):
        for weight in (0.0, 0.25, 0.5, 0.75, 1.0):
            mixed = combine([seen, told], [1 - weight, weight], text=seen, method=method)
            generated = gallery.engine.generate(mixed, negative, **gallery.options())
            yield f'{method}: image {1 - weight}, "{OTHER}" {weight}', generated[0]


def variations(gallery: Gallery) -> Iterator[Cell]:
    seen = gallery.engine.encode_images([gallery.source])
    _, negative = gallery.embeds("")
    yield "start", gallery.source
    for seed in (1, 2, 3, 4):
        generated = gallery.engine.generate(seen, negative, **gallery.options(seed))
        yield f"variation without a text, seed {seed}", generated[0]
    for strength in (0.1, 0.2, 0.4, 0.6, 1.0):
        image = gallery.text(PROMPT, variation_seeds=[9], variation_strength=strength)
        yield f"seed 1 towards seed 9 by {strength}", image


def prompts(gallery: Gallery) -> Iterator[Cell]:
    for weight in (0.0, 0.5, 1.0, 1.5):
        prompt = f"a red circle and a (blue square:{weight})"
        yield prompt, gallery.text(prompt)
    condition = gallery.package.Condition
    embeds, negative = gallery.embeds(PROMPT, OTHER)
    for part in (0.2, 0.4, 0.6, 0.8):
        turn = round(STEPS * part)
        generated = gallery.engine.generate(
            embeds, negative,
            conditions=[condition(0, 0, 1, turn), condition(1, 0, turn + 1, STEPS)],
            negative_conditions=[condition(0, 0, 1, STEPS)],
            **gallery.options(),
        )  # fmt: skip
        yield f"[{PROMPT}:{OTHER}:{part}]", generated[0]
    for weight in (0.5, 1.0):
        generated = gallery.engine.generate(
            embeds, negative,
            conditions=[condition(0, 0, 1, STEPS), condition(1, 0, 1, STEPS, weight)],
            negative_conditions=[condition(0, 0, 1, STEPS)],
            **gallery.options(),
        )  # fmt: skip
        yield f"{PROMPT} AND {OTHER} :{weight}", generated[0]


def guidance(gallery: Gallery) -> Iterator[Cell]:
    for scale in (1.0, 2.0, 4.0, 8.0):
        yield f"CFG scale {scale}", gallery.text(PROMPT, guidance_scale=scale)
    yield "CFG scale 8, rescale 0.7", gallery.text(PROMPT, guidance_scale=8.0, guidance_rescale=0.7)
    image = gallery.text(PROMPT, guidance_start=0.2, guidance_end=0.8)
    yield "CFG scale 4 from 20 % to 80 % of the steps", image


def tiling(gallery: Gallery) -> Iterator[Cell]:
    for seed in (1, 2):
        for on in (False, True):
            image = gallery.text("a composition in the style of Kandinsky", seed, tiling=on)
            tiled = np.tile(image, (2, 2, 1))[::2, ::2]
            yield f"2 x 2, tiling {'on' if on else 'off'}, seed {seed}", tiled


def kandinsky_2_2(gallery: Gallery) -> Iterator[Cell]:
    for seed in (1, 2):
        for prompt in PROMPTS:
            yield f"{prompt}, seed {seed}", gallery.text(prompt, seed, guidance_scale=2.0)


def depth_maps(size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and maps, [H, W, 3]: shapes that the demo model was trained on, and others."""
    place = size / 128

    def drawn(draw: Callable[[ImageDraw.ImageDraw], None]) -> np.ndarray:
        image = Image.new("RGB", (size, size))
        draw(ImageDraw.Draw(image))
        return np.asarray(image)

    def ring(pen: ImageDraw.ImageDraw) -> None:
        pen.ellipse([v * place for v in (10, 60, 62, 112)], fill="#bbb")
        pen.ellipse([v * place for v in (22, 72, 50, 100)], fill="black")

    def two(pen: ImageDraw.ImageDraw) -> None:
        pen.ellipse([v * place for v in (8, 40, 58, 90)], fill="#aaa")
        pen.rectangle([v * place for v in (74, 44, 118, 88)], fill="#888")

    def letter(pen: ImageDraw.ImageDraw) -> None:
        font = load_font(round(100 * place))
        pen.text((64 * place, 64 * place), "K", "#ccc", font, "mm", stroke_width=round(3 * place))

    yield "a ring", drawn(ring)
    yield "two things", drawn(two)
    yield "a letter", drawn(letter)


def depth(gallery: Gallery) -> Iterator[Cell]:
    for name, pixels in depth_maps(gallery.size):
        yield f"depth map: {name}", pixels
        for prompt in (
            "a red circle on a white background",
            "жёлтая звезда на синем фоне",
            "a pink ring on a black background",
            "a green square and an orange circle",
        ):
            yield prompt, gallery.text(prompt, hints=[pixels], guidance_scale=2.0)
    for end in (0.0, 0.1, 0.2, 0.4, 1.0):
        image = gallery.text(PROMPT, hints=[pixels], hint_end=end, guidance_scale=2.0)
        yield f"the letter until {end:.0%} of the steps: a red circle", image


@dataclass(frozen=True)
class Sheet:
    """What generates a sheet, its columns, and which demo model it is for."""

    cells: Callable[[Gallery], Iterator[Cell]]
    columns: int
    model: str = DEMO


SHEETS = {
    "samplers": Sheet(samplers, 6),
    "schedulers": Sheet(schedulers, 7),
    "image-to-image": Sheet(image_to_image, 7),
    "inpainting": Sheet(inpainting, 8),
    "mixing": Sheet(mixing, 5),
    "variations": Sheet(variations, 5),
    "prompts": Sheet(prompts, 5),
    "guidance": Sheet(guidance, 6),
    "tiling": Sheet(tiling, 4),
    "kandinsky-2-2": Sheet(kandinsky_2_2, 8, DEMO_2_2),
    "depth": Sheet(depth, 5, DEMO_DEPTH),
}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Generates the gallery of the documentation.")
    parser.add_argument("sheets", nargs="*", metavar="SHEET", help=f"of: {', '.join(SHEETS)}")
    parser.add_argument("--model", type=Path, help="for all sheets; default: the demo models")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/gallery")
    parser.add_argument("--size", type=int, help="width and height; default: the model's own")
    chosen = parser.parse_args(given)
    unknown = [sheet for sheet in chosen.sheets if sheet not in SHEETS]
    if unknown:
        parser.error(f"there is no sheet {unknown[0]!r}, only: {', '.join(SHEETS)}")
    return chosen


def main() -> None:
    chosen = arguments()
    sys.path.insert(0, str(ROOT / "build/python"))
    import kandinsky_engine as kandinsky  # noqa: PLC0415

    chosen.output.mkdir(parents=True, exist_ok=True)
    try:
        for name in chosen.sheets or SHEETS:
            sheet = SHEETS[name]
            model = chosen.model or ROOT / "demo/model" / sheet.model
            began = time.monotonic()
            with kandinsky.Engine(str(model)) as engine:
                gallery = Gallery(engine, kandinsky, chosen.size or engine.info.native_size)
                captions, images = zip(*sheet.cells(gallery), strict=True)
            pixels = [Image.fromarray(image) for image in images]
            path = chosen.output / f"{name}.webp"
            contact_sheet(pixels, captions, sheet.columns, SIDE).save(path, quality=90)
            print(f"{path}: {len(images)} images, {time.monotonic() - began:.1f} s")
    except kandinsky.KandinskyError as error:
        sys.exit(f"gallery.py: {error}")


if __name__ == "__main__":
    main()
