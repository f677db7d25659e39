"""Puts the last bench into the documents: tables between markers, growth, all samples.

    make bench-docs
    .venv/bin/python tests/bench/publish.py docs/performance/bench.json

Everything between `<!-- bench: NAME -->` and `<!-- /bench -->` is written by this script from
build/bench/bench.json; numbers are never typed. The second command writes the tables again from
the samples that are published, without a new bench.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import growth
import table
from samples import Measurements

ROOT = Path(__file__).resolve().parents[2]
END = "<!-- /bench -->"


class MarkerError(Exception):
    """A document does not have the place that is to be filled."""


def fill(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers of this name."""
    begin = f"<!-- bench: {name} -->"
    if text.count(begin) != 1:
        raise MarkerError(f"{begin}: there once is needed, found {text.count(begin)} times")
    before, _, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not end:
        raise MarkerError(f"{begin}: {END} is missing after it")
    return f"{before}{begin}\n{content.strip()}\n{end}{after}"


def growth_section(found: Measurements) -> str:
    """Exponents and the image's link, or that there is nothing to tell yet."""
    lines = [f"- {line}" for line in growth.sentences(found)]
    if not lines:
        return "This run measured one size, one batch and one number of steps only."
    return "\n".join([*lines, "", "![Cost by pixels, images and steps](performance/growth.png)"])


def publish(found: Measurements, source: Path, root: Path) -> list[Path]:
    """Writes all documents; returns them."""
    page, readme = root / "docs/performance.md", root / "README.md"
    image, samples = root / "docs/performance/growth.png", root / "docs/performance/bench.json"
    filled = {
        "report": table.report(found),
        "growth": growth_section(found),
    }
    text = page.read_text(encoding="utf-8")
    for name, content in filled.items():
        text = fill(text, name, content)
    short = fill(readme.read_text(encoding="utf-8"), "summary", table.short_table(found))
    # From the published samples themselves only the words are written again.
    if source.resolve() != samples.resolve():
        samples.parent.mkdir(exist_ok=True)
        if growth.sentences(found):
            growth.draw(found, image)
        shutil.copyfile(source, samples)
    page.write_text(text, encoding="utf-8")
    readme.write_text(short, encoding="utf-8")
    return [page, readme, samples]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Puts the last bench into the documents.")
    parser.add_argument(
        "measurements", type=Path, nargs="?", default=ROOT / "build/bench/bench.json"
    )
    options = parser.parse_args(arguments)
    if not options.measurements.is_file():
        print(f"publish: there is no {options.measurements}; run make bench", file=sys.stderr)
        return 1
    for path in publish(Measurements.load(options.measurements), options.measurements, ROOT):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
