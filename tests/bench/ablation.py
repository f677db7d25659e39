"""What each of the engine's speed-ups is worth: all of them against all but one, by turns."""

from __future__ import annotations

from collections.abc import Iterator

from runner import Crew, new_part, say
from samples import Part, Result
from work import ENGINE, Extent, Work

WORKS = (
    ("unet", "UNet step", {"batch": 1, "steps": 2}),
    ("prior", "prior", {"steps": 2}),
    ("decode", "MoVQ decode", {"batch": 1}),
)


def run(team: Crew, extent: Extent) -> Iterator[Part]:
    """A part for each speed-up and network. The engine with all of them stays loaded."""
    size = extent.sizes[0]
    team.prepare("all", [ENGINE])
    full = team.worker(ENGINE)
    for left_out in full.ask("speedups")["names"]:
        engine = dict(team.setup.engine)
        engine["without"] = [*engine.get("without", []), left_out]
        with team.setup.worker(ENGINE, **engine) as reduced:
            reduced.ask("load", stage="all")
            for do, title, fields in WORKS:
                sized = dict(fields) if do == "prior" else {"size": size, **fields}
                work = Work(f"without-{left_out}-{do}", f"{left_out}: {title}", "all", do, sized)
                part = new_part(work)
                for turn in range(-1, extent.rounds):
                    for name, worker in ((ENGINE, full), (f"without {left_out}", reduced)):
                        answer = worker.ask(do, **sized)
                        if turn >= 0:
                            part.results.setdefault(name, Result()).add(answer)
                medians = {name: result.median for name, result in part.results.items()}
                say(f"{part.title}: {medians}")
                yield part
