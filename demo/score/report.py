"""The score as a Markdown table and as contact sheets."""

from __future__ import annotations

from typing import Any

import numpy as np
from backends import Settings
from PIL import Image, ImageDraw, ImageFont

_CELL = 128
_LINE = 11


def settings(how: Settings) -> str:
    return (
        f"{how.sampler} {how.steps} steps, guidance {how.guidance:g}, "
        f"prior {how.prior_steps} steps, guidance {how.prior_guidance:g}"
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _count(value: list[int]) -> str:
    right, asked = value
    return f"{100 * right / asked:.0f} % ({right} of {asked})" if asked else "-"


def _rows(content: dict[str, Any]) -> list[str]:
    """A table with one line per name if values are counts, else one column per point."""
    if all(_is_count(value) for value in content.values()):
        lines = ["| | right |", "|---|---:|"]
        return [*lines, *(f"| {name} | {_count(value)} |" for name, value in content.items())]
    points = list(dict.fromkeys(p for v in content.values() if isinstance(v, dict) for p in v))
    lines = [f"| | {' | '.join(points)} |", "|---|" + "---:|" * len(points)]
    for name, value in content.items():
        if isinstance(value, dict):
            cells = [_count(value[p]) if p in value else "" for p in points]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        else:
            lines.append(f"| {name} | {value} |" + " |" * (len(points) - 1))
    return lines


def table(numbers: dict[str, Any]) -> str:
    """Markdown of everything measured so far."""
    out = ["# Score of the demo model", ""]
    if "judge" in numbers:
        out += [f"The judge is right about {_count(numbers['judge'])} of drawings.", ""]
    for section, measured in numbers.items():
        if section == "judge":
            continue
        content = {name: value for name, value in measured.items() if name != "settings"}
        out += [f"## {section}", "", measured.get("settings", ""), ""]
        counts = {k: v for k, v in content.items() if _is_count(v)}
        groups = {k: v for k, v in content.items() if not _is_count(v)}
        if counts:
            out += [*_rows(counts), ""]
        nested = {k: v for k, v in groups.items() if k == "points" or k.split(" ")[0] == "by"
                  or " by " in k}  # fmt: skip
        rest = {k: v for k, v in groups.items() if k not in nested}
        if rest:
            out += [*_rows(rest), ""]
        for name, value in nested.items():
            out += [f"{name}:", "", *_rows(value), ""]
    return "\n".join(out).rstrip() + "\n"


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", _LINE - 2)
    except OSError:
        return ImageFont.load_default()


def sheet(images: list[np.ndarray], captions: list[str], columns: int) -> Image.Image:
    """Images in rows, enlarged or reduced to one height, with up to three lines below each."""
    font = _font()
    rows = -(-len(images) // columns)
    widths = [round(_CELL * p.shape[1] / p.shape[0]) for p in images]
    wide, high = max(widths) + 6, _CELL + 3 * _LINE + 8
    out = Image.new("RGB", (columns * wide, rows * high), "white")
    pen = ImageDraw.Draw(out)
    for i, (pixels, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = i % columns * wide + 3, i // columns * high + 3
        out.paste(Image.fromarray(pixels).resize((widths[i], _CELL)), (x, y))
        letters = max(8, wide // 5)
        for line in range(3):
            text = caption[line * letters : (line + 1) * letters]
            pen.text((x, y + _CELL + 1 + line * _LINE), text, fill="black", font=font)
    return out
