"""How cost grows with pixels, steps and batch: exponents from bench.json, and an image.

.venv-bench/bin/python tests/bench/growth.py build/bench/bench.json --image build/bench/growth.png
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samples import Measurements, Part
from work import COMPETITORS, ENGINE, label

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A family of parts along which one quantity grows."""

    prefix: str
    title: str
    quantity: str

    def x(self, part: Part) -> float:
        return {
            "megapixels": part.size**2 / 1e6,
            "images": float(part.batch),
            "steps": float(part.steps),
        }[self.quantity]


AXES = (
    Axis("unet-", "UNet step", "megapixels"),
    Axis("decode-", "MoVQ decode", "megapixels"),
    Axis("encode-", "MoVQ encode", "megapixels"),
    Axis("batch-", "UNet step", "images"),
    Axis("steps-", "denoise", "steps"),
)


def points(found: Measurements, axis: Axis, competitor: str) -> Points:
    """(quantity, seconds), by quantity."""
    return sorted(
        (axis.x(part), part.results[competitor].median)
        for name, part in found.parts.items()
        if name.startswith(axis.prefix) and competitor in part.results
    )


def exponent(measured: Points) -> float:
    """p of the best fit seconds = c * quantity^p: 1 is linear. Needs two quantities or more."""
    logs = [(math.log(x), math.log(y)) for x, y in measured]
    middle_x = sum(x for x, _ in logs) / len(logs)
    middle_y = sum(y for _, y in logs) / len(logs)
    spread = sum((x - middle_x) ** 2 for x, _ in logs)
    if spread == 0:
        raise ValueError("an exponent needs two different quantities")
    return sum((x - middle_x) * (y - middle_y) for x, y in logs) / spread


def excess(measured: Points) -> float:
    """How much more than linear the largest costs, from the smallest: 0.2 is 20 % more."""
    (small, cheap), (large, dear) = measured[0], measured[-1]
    return dear / cheap / (large / small) - 1


def sentences(found: Measurements) -> list[str]:
    """One line for each axis along which our engine was measured at several places."""
    lines = []
    for axis in AXES:
        measured = points(found, axis, ENGINE)
        if len({x for x, _ in measured}) < 2:
            continue
        lines.append(
            f"{axis.title} by {axis.quantity}: exponent {exponent(measured):.2f}; "
            f"{measured[-1][0] / measured[0][0]:.3g} times as much costs "
            f"{measured[-1][1] / measured[0][1]:.2f} times as much ({excess(measured):+.0%} "
            "against linear)"
        )
    return lines


def draw(found: Measurements, path: Path) -> None:
    """A panel for each axis: measured points of everybody, and our cost if it grew linearly."""
    import matplotlib as mpl  # noqa: PLC0415  the tests of this file do without it

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    axes = [axis for axis in AXES if len(points(found, axis, ENGINE)) > 1]
    if not axes:
        raise ValueError("nothing was measured at two sizes, batches or steps")
    figure, panels = plt.subplots(
        1, len(axes), figsize=(3.6 * len(axes), 3.4), squeeze=False, layout="constrained"
    )
    for axis, panel in zip(axes, panels[0], strict=True):
        ours = points(found, axis, ENGINE)
        for name in COMPETITORS:
            measured = points(found, axis, name)
            if measured:
                # One colour for each competitor, also where others are missing.
                color = f"C{COMPETITORS.index(name)}"
                told = label(name, found.faster_type)
                panel.plot(*zip(*measured, strict=True), "o-", color=color, label=told)
        x0, y0 = ours[0]
        panel.plot(
            [x0, ours[-1][0]], [y0, y0 * ours[-1][0] / x0], "k:", linewidth=1, label="linear"
        )
        panel.set(
            title=axis.title, xlabel=axis.quantity, ylabel="s", ylim=(0, None), xlim=(0, None)
        )
    panels[0][0].legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Shows how cost grows, from the bench's JSON.")
    parser.add_argument("measurements", type=Path, help="bench.json")
    parser.add_argument("--image", type=Path, help="where to draw it (PNG)")
    options = parser.parse_args(arguments)
    found = Measurements.load(options.measurements)
    print(*sentences(found), sep="\n")
    if options.image:
        draw(found, options.image)
        print(f"drawn: {options.image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
