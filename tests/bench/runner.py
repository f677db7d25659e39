"""Runs pieces of work: who takes part, by turns, and what is kept of the answers."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from families import family_of
from machine import quick_types, this_machine
from protocol import Answer, Worker, WorkerError
from samples import Part, Result
from work import (
    COMPILED,
    DIFFUSERS,
    ENGINE,
    OPENVINO,
    OPENVINO_FP32,
    OPENVINOS,
    TUNED,
    Extent,
    Work,
)

MACHINE = "machine"


@dataclass(frozen=True)
class Setup:
    """Where everything is, and how our engine is opened."""

    root: Path
    model: Path
    output: Path
    engine_python: Path
    bench_python: Path
    package: Path
    engine: dict[str, Any] = field(default_factory=dict)
    threads: int = 0
    faster_type: str = "bf16"  # of the machine, see Measurements

    @property
    def scratch(self) -> Path:
        """Files of the workers, about this model."""
        return self.output / "scratch" / self.model.name

    @property
    def converted(self) -> Path:
        """The UNet as OpenVINO reads it."""
        return self.scratch / "openvino"

    def worker(self, competitor: str, **engine: Any) -> Worker:
        """Starts a competitor's process; `engine`: more keywords for ours."""
        python, script, options = self._recipe(competitor, engine)
        threads = {"OMP_NUM_THREADS": str(self.threads)} if self.threads else {}
        logs = self.output / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{competitor}.log"
        return Worker(competitor, python, script, options, log=log, environment=threads)

    def _recipe(self, competitor: str, engine: dict[str, Any]) -> tuple[Path, str, dict[str, Any]]:
        if competitor == MACHINE:
            return self.bench_python, "machine_worker.py", {}
        if competitor == ENGINE:
            self.scratch.mkdir(parents=True, exist_ok=True)
            options = {
                "package": str(self.package),
                "model": str(self.model),
                "scratch": str(self.scratch),
                "engine": {**self.engine, **engine},
            }
            return self.engine_python, "engine_worker.py", options
        how = {
            DIFFUSERS: {"dtype": "fp32"},
            TUNED: {"dtype": self.faster_type, "channels_last": True},
            COMPILED: {"dtype": self.faster_type, "channels_last": True, "compiled": True},
            OPENVINO: {"dtype": "fp32", "precision": "bf16"},
            OPENVINO_FP32: {"dtype": "fp32", "precision": "fp32"},
        }[competitor]
        family = family_of(self.model)
        prior = family.prior_beside(self.model)
        options = {"family": family.name, "model": str(self.model), "prior": str(prior), **how}
        if competitor in OPENVINOS:
            options["converted"] = str(self.converted)
            return self.bench_python, "openvino_worker.py", options
        return self.bench_python, "diffusers_worker.py", options


class Crew:
    """The workers of one run, started when they are first needed, and what each has loaded."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._workers: dict[str, Worker] = {}
        self._stages: dict[str, str] = {}

    def worker(self, competitor: str) -> Worker:
        if competitor not in self._workers:
            self._workers[competitor] = self.setup.worker(competitor)
        return self._workers[competitor]

    def try_asking(self, competitor: str, title: str, what: str, **fields: Any) -> Answer | None:
        """The competitor's answer. None if it fails: that is told, and its process ends, since a
        failed one may hold memory that the others need; the next question starts another.
        """
        try:
            return self.worker(competitor).ask(what, **fields)
        except WorkerError as error:
            say(f"{title}: {error}")
            self._workers.pop(competitor).stop()
            self._stages.pop(competitor, None)
            return None

    def versions(self) -> dict[str, dict[str, str]]:
        answers = {name: self.try_asking(name, "versions", "versions") for name in [*self._workers]}
        return {name: answer for name, answer in answers.items() if answer is not None}

    def prepare(self, stage: str, competitors: Sequence[str]) -> list[str]:
        """Loads the stage where it takes part, frees what else is loaded anywhere. Returns those
        who have it loaded.
        """
        for name, loaded in list(self._stages.items()):
            if name not in competitors or loaded != stage:
                self.try_asking(name, f"unload {loaded}", "unload")
                self._stages.pop(name, None)
        for name in competitors:
            if name not in self._stages:
                answer = self.try_asking(name, f"load {stage}", "load", stage=stage)
                if answer is not None:
                    self._stages[name] = stage
        return [name for name in competitors if name in self._stages]

    def unload(self) -> None:
        self.prepare("", ())

    def stop(self) -> None:
        for worker in self._workers.values():
            worker.stop()
        self._workers.clear()
        self._stages.clear()


@contextlib.contextmanager
def crew(setup: Setup) -> Iterator[Crew]:
    workers = Crew(setup)
    try:
        yield workers
    finally:
        workers.stop()


def say(text: str) -> None:
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)


def today() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d")


def new_part(work: Work, unit: str = "s") -> Part:
    return Part(
        work.name,
        work.title,
        unit,
        work.size,
        work.batch,
        work.steps,
        date=today(),
        load_average=round(os.getloadavg()[0], 2),
    )


@contextlib.contextmanager
def converted(setup: Setup, works: Sequence[Work], names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Has the UNet converted for OpenVINO if it takes part in any of the works. This needs much
    memory, so nobody should have loaded anything yet. Yields the names of those who can take part.
    """
    wanted = [name for name in names if name in OPENVINOS]
    sizes = [work.size for work in works if set(wanted) & set(work.competitors)]
    try:
        if sizes:
            say("converting the UNet for OpenVINO")
            with setup.worker(wanted[0]) as worker:
                worker.ask("convert", size=sizes[0])
    except WorkerError as error:
        say(f"converting the UNet: {error}")
        names = [name for name in names if name not in OPENVINOS]
    try:
        yield names
    finally:
        shutil.rmtree(setup.converted, ignore_errors=True)  # as large as the UNet


def measure(work: Work, extent: Extent, team: Crew, competitors: Sequence[str]) -> Part:
    """Everybody's time for one piece of work: a round to warm up, then by turns.

    A competitor that fails is left out with a word about it; the others go on.
    """
    part = new_part(work)
    wanted = [name for name in competitors if name in work.competitors]
    present = team.prepare(work.stage, wanted)
    rounds = {name: extent.rounds_of(name, work) for name in present}
    best_rate = 0.0
    if work.do == "unet" and work.batch == 1:
        best_rate = team.worker(MACHINE).ask("convolution", dtype=team.setup.faster_type)["rate"]
        for name in (TUNED, DIFFUSERS):
            if name not in present:
                continue
            counted = team.try_asking(name, work.title, "flop", size=work.size, batch=work.batch)
            if counted is not None:
                part.flop = counted["flop"]
                break
            present.remove(name)
    for turn in range(-1, max(rounds.values(), default=0)):
        for name in present if turn % 2 else reversed(present):
            if turn >= rounds[name] or (turn < 0 and not extent.is_warmed_up(name, work)):
                continue
            begin = time.monotonic()
            answer = team.try_asking(name, work.title, work.do, **work.fields_for(name))
            if answer is None:
                rounds[name] = -2
                continue
            seconds = time.monotonic() - begin
            if turn < 0:
                say(f"{work.title}: {name} warmed up in {seconds:.1f} s")
                continue
            result = part.results.setdefault(name, Result())
            result.add(answer)
            say(f"{work.title}: {name} {result.median:.3f} s ({turn + 1} of {rounds[name]})")
    if best_rate:
        again = team.worker(MACHINE).ask("convolution", dtype=team.setup.faster_type)["rate"]
        part.rate = max(best_rate, again)
    return part


def measure_rates(team: Crew) -> dict[str, float]:
    """The machine's own rates in FLOP/s."""
    worker = team.worker(MACHINE)
    return {
        f"{what} {dtype}": worker.ask(what, dtype=dtype)["rate"]
        for what in ("matmul", "convolution")
        for dtype in quick_types(this_machine())
    }
