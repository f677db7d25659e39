"""What each of the engine's speed-ups is worth: all of them against all but one, by turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner import Crew, new_part, say
from samples import Part, Result
from work import ENGINE, Extent, Work

ROUNDS = 2  # and none to warm up: loading has run everything once, in small
WORKS = {
    "unet": ("unet", "UNet step", {"batch": 1, "steps": 2}),
    "prior": ("prior", "prior", {"steps": 2}),
    "movq": ("decode", "MoVQ decode", {"batch": 1}),
}


def run(team: Crew, names: Sequence[str], groups: Sequence[str], extent: Extent) -> Iterator[Part]:
    """A part for each speed-up (no names: all of them) and each of the groups that WORKS has."""
    size = extent.sizes[0]
    if not team.prepare("all", [ENGINE]):
        return
    full = team.worker(ENGINE)
    for left_out in names or full.ask("speedups")["names"]:
        engine = dict(team.setup.engine)
        engine["without"] = [*engine.get("without", []), left_out]
        with team.setup.worker(ENGINE, **engine) as reduced:
            reduced.ask("load", stage="all")
            for do, title, fields in (WORKS[group] for group in groups if group in WORKS):
                sized = dict(fields) if do == "prior" else {"size": size, **fields}
                work = Work(f"without-{left_out}-{do}", f"{left_out}: {title}", "all", do, sized)
                part = new_part(work)
                for _ in range(min(extent.rounds, ROUNDS)):
                    for name, worker in ((f"without {left_out}", reduced), (ENGINE, full)):
                        part.results.setdefault(name, Result()).add(worker.ask(do, **sized))
                medians = ", ".join(f"{k} {v.median:.3f} s" for k, v in part.results.items())
                say(f"{part.title}: {medians}")
                yield part
