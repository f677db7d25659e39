"""Measurements as Markdown: the table, the targets, the short table of the README."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import machine
from samples import Measurements, Part, Result
from targets import TARGETS, image_of_parts
from work import (
    COMPETITORS,
    DIFFUSERS,
    ENGINE,
    IMAGE_STEPS,
    LABELS,
    REFERENCE_STEPS,
    TUNED,
)

NOTHING = "-"
TARGET_SIZE = 512


def in_unit(value: float, unit: str) -> str:
    """Three digits: "0.123 s", "45.6 s", "2.31 GB"."""
    digits = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}".strip()


def amount(result: Result, unit: str) -> str:
    """The median, with its spread where there are several samples, and how it was multiplied; of
    memory also how long a UNet step took with it."""
    text = in_unit(result.median, unit)
    if len(result.samples) > 1:
        text += f" ±{100 * result.spread:.0f} %"
    if step := max(result.more.get("step", [0.0])):
        text += f" ({in_unit(step, 's')} a step)"
    return f"{text} ({result.times} x one)" if result.times > 1 else text


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def present_competitors(found: Measurements) -> list[str]:
    names = {name for part in found.parts.values() for name in part.results}
    return [name for name in COMPETITORS if name in names]


def _cells(part: Part, names: Sequence[str]) -> list[str]:
    ours = part.results.get(ENGINE)
    cells = []
    for name in names:
        result = part.results.get(name)
        cells.append(amount(result, part.unit) if result else NOTHING)
        if name != ENGINE:
            share = ours.median / result.median if ours and result else None
            cells.append(f"{share:.2f}" if share is not None else NOTHING)
    return cells


def _image_rows(found: Measurements, names: Sequence[str]) -> list[list[str]]:
    """Our measured image beside images of the others, which are worked out from parts."""
    ours = found.median("image", ENGINE)
    if ours is None:
        return []
    rows = []
    part = found.parts["image"]
    for steps, title in (
        (REFERENCE_STEPS, f"{part.title}; others {REFERENCE_STEPS} steps"),
        (IMAGE_STEPS, "the same with as many steps everywhere"),
    ):
        row = [title]
        for name in names:
            if name == ENGINE:
                row.append(in_unit(ours, "s"))
                continue
            theirs = image_of_parts(found, name, part.size, steps)
            row += (
                [f"{in_unit(theirs, 's')} (of its parts)", f"{ours / theirs:.3f}"]
                if theirs
                else [NOTHING, NOTHING]
            )
        rows.append(row)
    return rows


def full_table(found: Measurements) -> list[str]:
    """Every part, a column for each competitor, and ours over theirs beside it."""
    names = present_competitors(found)
    head = ["work"]
    for name in names:
        head += [LABELS[name]] if name == ENGINE else [LABELS[name], "ours / it"]
    rows = [
        [part.title, *_cells(part, names)]
        for part in found.parts.values()
        if part.name != "image" and not part.name.startswith("without-")
    ]
    return _markdown(head, rows + _image_rows(found, names))


def target_table(found: Measurements) -> list[str]:
    """The targets are about images of 512 px; for a model that generates smaller ones: nothing."""
    if not any(part.size == TARGET_SIZE for part in found.parts.values()):
        return []
    rows = []
    for target in TARGETS:
        value = target.value(found)
        bound = "≥" if target.at_least else "≤"
        limit = f"{bound} {target.limit:.3g} {target.unit}".strip()
        if value is None:
            rows.append([target.title, limit, NOTHING, "not measured"])
            continue
        verdict = "met" if target.is_met(value) else "missed"
        rows.append([target.title, limit, f"{value:.3g} {target.unit}".strip(), verdict])
    return _markdown(["target", "limit", "this run", ""], rows)


def ablation_table(found: Measurements) -> list[str]:
    """What each speed-up is worth: time without it over time with all."""
    rows = []
    for part in found.parts.values():
        if not part.name.startswith("without-") or len(part.results) < 2:
            continue
        with_all = part.results[ENGINE]
        without = next(result for name, result in part.results.items() if name != ENGINE)
        factor = without.median / with_all.median
        rows.append([part.title, amount(with_all, "s"), amount(without, "s"), f"{factor:.2f}"])
    return _markdown(["left out", "with all", "without", "factor"], rows) if rows else []


def rates(found: Measurements) -> str:
    return ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in found.rates.items())


def _named(found: Measurements, of: Callable[[Part], str]) -> str:
    """What `of` tells of the parts: of most of them first, of the others with their names."""
    parts: dict[str, list[str]] = {}
    for part in found.parts.values():
        parts.setdefault(of(part), []).append(part.name)
    values = sorted(parts, key=lambda value: -len(parts[value]))
    others = [f"{value} ({', '.join(parts[value])})" for value in values[1:]]
    return ", ".join([*values[:1], *others])


def _commits(found: Measurements) -> str:
    """As in "commit dd49e53"; nothing where none is known."""
    if not any(part.commit for part in found.parts.values()):
        return ""
    return f"commit {_named(found, lambda part: part.commit or 'unknown')}"


def _options(found: Measurements) -> str:
    """As in "measured with --threads 1"; nothing where all was as it comes."""
    if not any(part.options for part in found.parts.values()):
        return ""
    return f"measured with {_named(found, lambda part: part.options or 'no options')}"


def provenance(found: Measurements) -> list[str]:
    """Date, machine, versions, and what was not as it comes."""
    dates = sorted({part.date for part in found.parts.values()})
    span = dates[0] if len(set(dates)) == 1 else f"{dates[0]} to {dates[-1]}"
    versions = {k: v for one in found.versions.values() for k, v in one.items()}
    names = ("kandinsky_engine", "diffusers", "transformers", "torch")
    used = [f"{name} {versions[name]}" for name in names if name in versions]
    commits, options = _commits(found), _options(found)
    if commits:
        used.insert(1 if "kandinsky_engine" in versions else 0, commits)
    told = [f"{span}, {machine.in_words(found.machine)}", ", ".join(used), found.model]
    lines = ["; ".join([*told, options] if options else told) + "."]
    if found.rates:
        lines.append(f"The machine itself: {rates(found)}.")
    engine = found.versions.get(ENGINE, {})
    if engine.get("precision"):
        lines.append(f"The engine computed in {engine['precision']}: {engine['reason']}.")
    return lines


def report(found: Measurements) -> str:
    """All tables."""
    sections: list[tuple[str, Callable[[Measurements], list[str]]]] = [
        ("", provenance),
        ("", full_table),
        ("Targets", target_table),
        ("Each speed-up left out", ablation_table),
    ]
    lines: list[str] = []
    for title, make in sections:
        content = make(found)
        if content:
            lines += [f"### {title}", ""] if title else []
            lines += [*content, ""]
    return "\n".join(lines).rstrip() + "\n"


README_ROWS = ("unet-512", "prior", "decode-512", "memory")


def short_table(found: Measurements) -> str:
    """For the README: what most people wait for, and where it was measured."""
    names = [name for name in (ENGINE, DIFFUSERS, TUNED) if name in present_competitors(found)]
    head = ["", *(LABELS[name] for name in names)]
    rows = []
    for part in (found.parts[name] for name in README_ROWS if name in found.parts):
        results = [part.results.get(name) for name in names]
        rows.append(
            [part.title, *(in_unit(r.median, part.unit) if r else NOTHING for r in results)]
        )
    # Without the ratios, which stand after each of the others.
    rows += [[row[0], row[1], *row[2::2]] for row in _image_rows(found, names)[:1]]
    lines = [*_markdown(head, rows), "", provenance(found)[0]]
    return "\n".join(lines) + "\n"
