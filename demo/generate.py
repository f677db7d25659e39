"""Generates a contact sheet: one image for each prompt, with the prompt below it.

    .venv/bin/python demo/generate.py
    .venv/bin/python demo/generate.py --seed 7 --output sheet.png "a red circle" "синий квадрат"

Takes the demo model unless --model names another folder. Needs kandinsky_engine as `make build`
leaves it in build/python.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
PROMPTS = (
    "a red circle on a white background",
    "a blue square on a yellow background",
    "a green triangle",
    "a pink heart on a black background",
    "красный круг на белом фоне",
    "синий квадрат на жёлтом фоне",
    "жёлтая звезда на синем фоне",
    "a composition in the style of Kandinsky",
)
FONT = "DejaVuSans.ttf"  # has Latin and Cyrillic letters; Debian's fonts-dejavu-core
SHORTEST_SIDE = 256  # of an image on the sheet, in pixels
MARGIN = 12
LINES = 3  # of a caption
INK, PAPER = (40, 40, 40), (255, 255, 255)


def load_font(size: int) -> ImageFont.FreeTypeFont:
    """The captions' font. Raises SystemExit that says what to install."""
    try:
        return ImageFont.truetype(FONT, size)
    except OSError:
        sys.exit(f"The font {FONT} is missing: install fonts-dejavu-core, or run `make setup`")


def wrap(text: str, font: ImageFont.FreeTypeFont, width: float, lines: int) -> list[str]:
    """Breaks text at spaces into at most so many lines of at most that width, in pixels."""
    wrapped = [""]
    for word in text.split():
        longer = f"{wrapped[-1]} {word}".strip()
        if wrapped[-1] and font.getlength(longer) > width:
            wrapped.append(word)
        else:
            wrapped[-1] = longer
    shown = wrapped[:lines]
    cut = len(wrapped) > lines
    for index, line in enumerate(shown):
        text = f"{line} …" if cut and index == lines - 1 else line
        while font.getlength(text) > width and len(text) > 1:
            text = text.removesuffix("…")[:-1].rstrip() + "…"
        shown[index] = text
    return shown


def contact_sheet(
    images: Sequence[Image.Image],
    captions: Sequence[str],
    columns: int = 4,
    shortest_side: int = SHORTEST_SIDE,
) -> Image.Image:
    """Images of one size in rows, enlarged to the shortest side, each with its caption below."""
    factor = -(-shortest_side // min(images[0].size))
    width, height = (side * factor for side in images[0].size)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    font = load_font(14)
    line_height = sum(font.getmetrics()) + 2
    cell = (width + MARGIN, height + MARGIN + LINES * line_height)
    sheet = Image.new("RGB", (columns * cell[0] + MARGIN, rows * cell[1] + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x = MARGIN + index % columns * cell[0]
        y = MARGIN + index // columns * cell[1]
        sheet.paste(image.resize((width, height), Image.Resampling.BICUBIC), (x, y))
        for number, line in enumerate(wrap(caption, font, width, LINES)):
            top = y + height + 4 + number * line_height
            draw.text((x, top), line, fill=INK, font=font)
    return sheet


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Generates a contact sheet.")
    parser.add_argument("prompts", nargs="*", default=PROMPTS, metavar="PROMPT")
    parser.add_argument("--model", type=Path, default=ROOT / "demo/model/kandinsky-demo")
    parser.add_argument("--output", type=Path, default=ROOT / "build/demo/contact-sheet.png")
    parser.add_argument("--seed", type=int, default=1, help="of the first image; the next has + 1")
    parser.add_argument("--steps", type=int, default=50)
    # Kandinsky's 4 overdoes what tells one shape of the demo model from others.
    parser.add_argument("--cfg-scale", type=float, default=2.0)
    parser.add_argument("--size", type=int, help="width and height; default: the model's own")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    sys.path.insert(0, str(ROOT / "build/python"))
    from kandinsky_engine import Engine, KandinskyError  # noqa: PLC0415

    try:
        started = time.monotonic()
        engine = Engine(str(options.model))
        native = engine.info.native_size
        size = options.size or native
        print(f"The model is at its best at {native} x {native} pixels; this is {size} x {size}.")
        images = []
        for index, prompt in enumerate(options.prompts):
            began = time.monotonic()
            generated = engine.text_to_image(
                [prompt],
                seeds=[options.seed + index],
                width=size,
                height=size,
                num_inference_steps=options.steps,
                guidance_scale=options.cfg_scale,
            )
            images.append(Image.fromarray(generated[0]))
            seconds = time.monotonic() - began
            print(f"{index + 1}/{len(options.prompts)}  {seconds:5.1f} s  {prompt}", flush=True)
    except KandinskyError as error:
        sys.exit(f"generate.py: {error}")
    seconds = time.monotonic() - started
    options.output.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(images, options.prompts).save(options.output)
    print(
        f"{len(images)} images of {size} x {size} pixels in {seconds:.1f} s, "
        f"{seconds / len(images):.1f} s each (the first one loads the model)."
    )
    print(f"The contact sheet is at {options.output}")


if __name__ == "__main__":
    main()
