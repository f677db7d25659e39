"""Measurements as Markdown: the table, the targets, the short table of the README."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import machine
from samples import Measurements, Part, Result
from targets import image_of_parts, planned_share, targets_of
from work import (
    COMPETITORS,
    DIFFUSERS,
    ENGINE,
    IMAGE_STEPS,
    REFERENCE_STEPS,
    TUNED,
    label,
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


def _image_row(
    found: Measurements, names: Sequence[str], title: str, steps: int
) -> list[list[str]]:
    """Our measured image beside images of the others with so many steps, sums of their parts."""
    ours = found.median("image", ENGINE)
    if ours is None:
        return []
    row = [title]
    for name in names:
        if name == ENGINE:
            row.append(in_unit(ours, "s"))
            continue
        theirs = image_of_parts(found, name, found.parts["image"].size, steps)
        row += [in_unit(theirs, "s"), f"{ours / theirs:.3f}"] if theirs else [NOTHING, NOTHING]
    return [row]


def _equal_image_row(found: Measurements, names: Sequence[str]) -> list[list[str]]:
    title = found.parts["image"].title if "image" in found.parts else ""
    if len(names) > 1:
        title += " (diffusers: sum of its parts)"
    return _image_row(found, names, title, IMAGE_STEPS)


def full_table(found: Measurements) -> list[str]:
    """Every part, a column for each competitor, and ours over theirs beside it."""
    names = present_competitors(found)
    head = ["work"]
    for name in names:
        told = label(name, found.faster_type)
        head += [told] if name == ENGINE else [told, "ours / it"]
    rows = [
        [part.title, *_cells(part, names)]
        for part in found.parts.values()
        if part.name != "image" and not part.name.startswith("without-")
    ]
    rows += _equal_image_row(found, names)
    if len(names) > 1:
        fewer = f"the same; diffusers with {REFERENCE_STEPS} steps, its default"
        rows += _image_row(found, names, fewer, REFERENCE_STEPS)
    return _markdown(head, rows)


def target_table(found: Measurements) -> list[str]:
    """The targets are about images of 512 px; for a model that generates smaller ones: nothing."""
    if not any(part.size == TARGET_SIZE for part in found.parts.values()):
        return []
    rows = []
    for target in targets_of(found):
        value = target.value(found)
        bound = "≥" if target.at_least else "≤"
        limit = f"{bound} {target.limit:.3g} {target.unit}".strip()
        if value is None:
            rows.append([target.title, limit, NOTHING, "not measured"])
            continue
        verdict = "met" if target.is_met(value) else "missed"
        rows.append([target.title, limit, f"{value:.3g} {target.unit}".strip(), verdict])
    return _markdown(["target", "limit", "this run", ""], rows)


def plan_table(found: Measurements) -> list[str]:
    """The peaks that the engine planned, and what they were."""
    rows = []
    for part in found.parts.values():
        if share := planned_share(part):
            measured = part.results[ENGINE].median
            peaks = [in_unit(value, part.unit) for value in (share * measured, measured)]
            rows.append([part.title, *peaks, f"{share:.3f}"])
    return (
        _markdown(["our engine", "planned", "measured", "planned / measured"], rows) if rows else []
    )


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


def _dates(found: Measurements) -> str:
    dates = sorted({part.date for part in found.parts.values()})
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def _versions(found: Measurements, names: Sequence[str]) -> list[str]:
    versions = {k: v for one in found.versions.values() for k, v in one.items()}
    return [f"{name} {versions[name]}" for name in names if name in versions]


def _joined(found: Measurements, facts: Sequence[str]) -> str:
    """The facts, then the options that a run was started with, as one sentence."""
    options = _options(found)
    return "; ".join([*facts, options] if options else facts) + "."


def provenance(found: Measurements) -> list[str]:
    """Date, machine, versions and commits, options, rates and precision."""
    used = _versions(found, ("kandinsky_engine", "diffusers", "transformers", "openvino", "torch"))
    if commits := _commits(found):
        used.insert(1 if used and used[0].startswith("kandinsky_engine") else 0, commits)
    where = f"{_dates(found)}, {machine.in_words(found.machine)}"
    lines = [_joined(found, [where, ", ".join(used), found.subject])]
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
        ("Memory, planned", plan_table),
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


README_TIMES, README_MEMORY = ("unet-512", "prior", "decode-512"), ("memory",)


def _more_steps(found: Measurements, names: Sequence[str]) -> str:
    """The whole image with diffusers' default number of steps, on both sides."""
    size = found.parts["image"].size if "image" in found.parts else 0
    images = {name: image_of_parts(found, name, size, REFERENCE_STEPS) for name in names}
    sums = [
        f"{in_unit(seconds, 's')} in {label(name, found.faster_type)}"
        for name, seconds in images.items()
        if seconds
    ]
    if len(sums) < 2:
        return ""
    return (
        "Fewer steps, as better samplers allow, are a separate gain, open to both sides: with "
        f"diffusers' default of {REFERENCE_STEPS} steps the whole image takes {'; '.join(sums)} "
        "(sums of the parts)."
    )


def short_table(found: Measurements) -> str:
    """For the README: equal work first, then what the number of steps does, then where it was
    measured, without commits."""
    names = [name for name in (ENGINE, DIFFUSERS, TUNED) if name in present_competitors(found)]
    precision = found.versions.get(ENGINE, {}).get("precision")
    labels = {name: label(name, found.faster_type) for name in names}
    if precision:
        labels[ENGINE] += f", {precision}"

    def rows(parts: Sequence[str]) -> Iterator[list[str]]:
        for part in (found.parts[name] for name in parts if name in found.parts):
            results = [part.results.get(name) for name in names]
            cells = [in_unit(r.median, part.unit) if r else NOTHING for r in results]
            yield [part.title, *cells]

    # Without the ratios, which stand after each of the others.
    images = [[row[0], row[1], *row[2::2]] for row in _equal_image_row(found, names)]
    head = ["the same work for each", *(labels[name] for name in names)]
    body = [*rows(README_TIMES), *images, *rows(README_MEMORY)]
    lines = [*_markdown(head, body), ""]
    if more := _more_steps(found, names):
        lines += [more, ""]
    used = _versions(found, ("diffusers", "torch"))
    cpu = f"{found.machine['cpu']}, {found.machine['cores']} cores"
    lines.append(
        _joined(found, [f"Measured {_dates(found)} on {cpu}", ", ".join(used), found.subject])
    )
    return "\n".join(lines) + "\n"
