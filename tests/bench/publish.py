"""Puts the last bench of each family into the documents: tables between markers, all samples; of
the first family also growth, and the short table of the README. A machine that is faster in fp32,
or has AMX, has a table of its own.

    make bench-docs
    .venv/bin/python tests/bench/publish.py docs/performance/bench*.json

Everything between `<!-- bench: NAME -->` and `<!-- /bench -->` is written by this script from
build/bench*/bench.json; numbers are never typed. The second command writes the tables again from
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
from families import FAMILIES, ROOT
from samples import Measurements

FIRST = next(iter(FAMILIES))
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


def kind_of(found: Measurements) -> list[str]:
    """What its table is called after; nothing for the first one."""
    kind = [found.family] if found.family != FIRST else []
    if found.faster_type == "fp32":
        kind.append("fp32")
    elif "amx_bf16" in found.machine["flags"]:
        kind.append("amx")
    return kind


def publish(found: Measurements, source: Path, root: Path) -> list[Path]:
    """Writes all documents of the family and the machine's faster type; returns them."""
    kind = kind_of(found)
    is_first = not kind
    page, readme = root / "docs/performance.md", root / "README.md"
    kept = root / "docs/performance"
    samples = kept / f"{'-'.join(['bench', *kind])}.json"
    filled = {" ".join(["report", *kind]): table.report(found)}
    if is_first:
        filled["growth"] = growth_section(found)
    text = page.read_text(encoding="utf-8")
    for name, content in filled.items():
        text = fill(text, name, content)
    documents = {page: text}
    if is_first:
        short = fill(readme.read_text(encoding="utf-8"), "summary", table.short_table(found))
        documents[readme] = short
    # From the published samples themselves only the words are written again.
    if source.resolve() != samples.resolve():
        kept.mkdir(exist_ok=True)
        if is_first and growth.sentences(found):
            growth.draw(found, kept / "growth.png")
        shutil.copyfile(source, samples)
    for path, content in documents.items():
        path.write_text(content, encoding="utf-8")
    return [*documents, samples]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Puts the last bench into the documents.")
    parser.add_argument(
        "measurements", type=Path, nargs="*", help="default: the last bench of each family"
    )
    options = parser.parse_args(arguments)
    last = [family.output / "bench.json" for family in FAMILIES.values()]
    given = options.measurements or [path for path in last if path.is_file()]
    for path in given or last[:1]:
        if not path.is_file():
            print(f"publish: there is no {path}; run make bench", file=sys.stderr)
            return 1
        for document in publish(Measurements.load(path), path, ROOT):
            print(document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
