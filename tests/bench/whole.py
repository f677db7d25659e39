"""The pieces of work that need a process of their own, or all networks: load, image, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from protocol import Answer, WorkerError
from runner import Crew, Setup, new_part, say
from samples import Part, Result
from work import (
    DIFFUSERS,
    ENGINE,
    IMAGE_STEPS,
    OF_UNET_ONLY,
    PRIOR_STEPS,
    TUNED,
    Extent,
    Work,
)

GIGABYTE = 10**9
# Peak memory does not depend on the number of steps.
MEMORY_STEPS = 2
# Budgets of the memory plan: what each is for, and max_memory in bytes for the native size.
BUDGETS = {
    "one-stage": ("one stage at a time", 3 * GIGABYTE),
    "streamed": ("layers streamed", 1200 * 10**6),
}
LARGE_BUDGET = 4500 * 10**6  # at 1024 px
LARGE = 1024
BATCH = 4
# What a process of the command line, for which the plan is, holds once a model is opened. The
# Python package's holds more.
OPENED = 155 * 10**6


def load(team: Crew, extent: Extent, competitors: Sequence[str]) -> Iterator[Part]:
    """All networks into memory, with their files in the system's cache; then the first step."""
    work = Work("load", "load, all networks, files cached", "all", "load", {"stage": "all"})
    part = new_part(work)
    team.unload()
    names = [name for name in competitors if name not in OF_UNET_ONLY]
    for turn in range(-1, extent.rounds if extent.rounds > 1 else 1):
        for name in list(names):
            answer = team.try_asking(name, part.title, "load", stage="all")
            if answer is None or team.try_asking(name, part.title, "unload") is None:
                names.remove(name)
                continue
            if turn >= 0:
                part.results.setdefault(name, Result()).add(answer)
                say(f"{part.title}: {name} {part.results[name].median:.2f} s")
    yield part
    if ENGINE not in competitors:
        return
    size = extent.sizes[0]
    # The first varies most: how the system hands out memory is nearly all of it.
    kept = {"prepared_weights": str(team.setup.output / "prepared")}
    for name, what, from_text, most, engine in (
        ("start", "texts encoded before", False, 5, {}),
        ("start-from-text", "from a prompt", True, 3, {}),
        ("start-prepared", "texts encoded before, prepared weights", False, 5, kept),
        ("start-prepared-from-text", "from a prompt, prepared weights", True, 3, kept),
    ):
        title = f"warm start to the first step, {what}, {size} px"
        work = Work(name, title, "all", "start", size=size)
        part = new_part(work)
        result = part.results.setdefault(ENGINE, Result())
        try:
            if engine:  # the first one writes them
                with team.setup.worker(ENGINE, **engine) as worker:
                    worker.ask("start", size=size, from_text=from_text)
            for _ in range(most if extent.rounds > 1 else 1):
                with team.setup.worker(ENGINE, **engine) as worker:
                    result.add(worker.ask("start", size=size, from_text=from_text))
                say(f"{part.title}: {result.median:.2f} s")
        except WorkerError as error:
            say(f"{part.title}: {error}")
        if result.samples:
            yield part


def image(team: Crew, extent: Extent, competitors: Sequence[str]) -> Iterator[Part]:
    """A whole image of ours; those of the others are worked out from their parts."""
    if ENGINE not in competitors:
        return
    size = extent.sizes[0]
    title = f"whole image, {IMAGE_STEPS} steps of DPM++ 2M, {size} px"
    part = new_part(Work("image", title, "all", "image", size=size, steps=IMAGE_STEPS))
    result = part.results.setdefault(ENGINE, Result())
    fields = {"size": size, "steps": IMAGE_STEPS, "prior_steps": PRIOR_STEPS}
    if not team.prepare("all", [ENGINE]):
        return
    answer = team.try_asking(ENGINE, title, "image", **fields)
    if answer is not None:
        result.add(answer)
        say(f"{title}: {result.median:.1f} s")
        yield part


def _peak(setup: Setup, competitor: str, work: Work, budget: int) -> Answer:
    """Peak resident memory of a fresh process in GB, and where it tells them, the seconds of its
    fastest step and what its plan expected.
    """
    engine = {"max_memory": budget} if budget else {}
    with setup.worker(competitor, **engine) as worker:
        answer: Answer = {}
        if competitor == ENGINE:
            plan = worker.ask("plan", size=work.size, batch=work.batch)
            python = worker.memory() - OPENED
            answer["planned"] = (plan["planned"] + python) / GIGABYTE
        fields = {"size": work.size, "steps": MEMORY_STEPS, "prior_steps": MEMORY_STEPS}
        if work.batch > 1:
            fields["batch"] = work.batch
        steps = worker.ask("image", **fields).get("steps", [])
        peak = worker.peak_memory() / GIGABYTE
        return {"samples": [peak], "step": min(steps, default=0.0), **answer}


def prepare_memory(setup: Setup) -> None:
    """What a model computes at its first use only is not in the peaks: the embedding of an empty
    image, which is kept beside the prior.
    """
    try:
        with setup.worker(ENGINE) as worker:
            worker.ask("load", stage="text")
    except WorkerError as error:
        say(f"before memory: {error}")


def memory(setup: Setup, extent: Extent, competitors: Sequence[str]) -> Iterator[Part]:
    """Peak resident memory of a fresh process that generates one image."""
    base = extent.sizes[0]
    if ENGINE in competitors:
        prepare_memory(setup)
    resident = "everything resident"
    jobs = [
        ("memory" if size == base else f"memory-resident-{size}", resident, size, 1, 0)
        for size in extent.sizes
        if size == base or size <= extent.slow_up_to
    ]
    jobs.append((f"memory-batch-{BATCH}", f"{resident}, {BATCH} images", base, BATCH, 0))
    jobs += [(f"memory-{name}", title, base, 1, most) for name, (title, most) in BUDGETS.items()]
    if LARGE in extent.sizes and base < LARGE:
        title = f"at most {LARGE_BUDGET / GIGABYTE:g} GB"
        jobs.append((f"memory-{LARGE}", title, LARGE, 1, LARGE_BUDGET))
    for name, title, size, batch, budget in jobs:
        full = f"peak memory, {title}, {size} px"
        work = Work(name, full, "all", "image", size=size, batch=batch)
        part = new_part(work, "GB")
        for competitor in (ENGINE,) if budget or batch > 1 else (ENGINE, DIFFUSERS, TUNED):
            if competitor not in competitors:
                continue
            try:
                answer = _peak(setup, competitor, work, budget)
            except WorkerError as error:
                say(f"{part.title}: {error}")
                continue
            result = part.results.setdefault(competitor, Result())
            result.add(answer)
            planned = f", planned {answer['planned']:.2f}" if "planned" in answer else ""
            say(f"{part.title}: {competitor} {result.median:.2f} GB{planned}")
        if part.results:
            yield part
