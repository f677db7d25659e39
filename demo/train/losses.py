"""Draws how the losses of all trainings so far went, from their checkpoints."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from common import WORK, load
from PIL import Image, ImageDraw

STAGES = (
    "movq_both",
    "movq_small",
    "vision",
    "xlmr",
    "clip",
    "prior",
    "movq_decoder",
    "unet",
    "inpaint",
    "decoder_2_2",
    "depth_2_2",
)
_PANEL = (420, 240)
_MARGIN = 34
_INKS = ("#c22", "#25b", "#292", "#a3a", "#b80")


def _panel(pen: ImageDraw.ImageDraw, at: tuple[int, int], name: str, history: list) -> None:
    """One training: steps to the right, each number on a logarithmic scale of its own."""
    width, height = _PANEL
    left, top = at[0] + _MARGIN, at[1] + 20
    right, bottom = at[0] + width - 8, at[1] + height - 20
    pen.rectangle((left, top, right, bottom), outline="#999")
    last = history[-1][0] if history else 0
    pen.text((left, at[1] + 4), f"{name}: {last} steps", fill="black")
    keys = [key for key in (history[-1][1] if history else {}) if key not in {"size"}]
    for key, ink in zip(keys, _INKS, strict=False):
        points = [(step, math.log10(max(n[key], 1e-6))) for step, n in history if key in n]
        low, high = min(y for _, y in points), max(y for _, y in points)
        line = [
            (
                left + (right - left) * step / max(last, 1),
                bottom - (bottom - top) * (y - low) / max(high - low, 1e-6),
            )
            for step, y in points
        ]
        if len(line) > 1:
            pen.line(line, fill=ink, width=2)
        label = f"{key} {10 ** points[0][1]:.3g} to {10 ** points[-1][1]:.3g}"
        pen.text((left + 8 + 130 * keys.index(key), bottom + 4), label, fill=ink)


def draw(work: Path) -> Path:
    """Writes losses.png into the work folder."""
    found = [(name, load(work / f"{name}.pt").get("history", []))
             for name in STAGES if (work / f"{name}.pt").exists()]  # fmt: skip
    columns = 2
    rows = max(1, -(-len(found) // columns))
    image = Image.new("RGB", (columns * _PANEL[0], rows * _PANEL[1]), "white")
    pen = ImageDraw.Draw(image)
    for i, (name, history) in enumerate(found):
        _panel(pen, (i % columns * _PANEL[0], i // columns * _PANEL[1]), name, history)
    path = work / "losses.png"
    image.save(path)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    print(draw(parser.parse_args().work))
