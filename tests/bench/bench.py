"""Measures our engine beside diffusers on the same weights and the same machine, by turns.

    make bench
    .venv-bench/bin/python tests/bench/bench.py --only unet batch --sizes 512
    .venv-bench/bin/python tests/bench/bench.py --ablate --only unet
    .venv-bench/bin/python tests/bench/bench.py --family 2.2
    .venv-bench/bin/python tests/bench/bench.py --model build/tiny/tiny-2-1 --sizes 64 --quick

Writes bench.json (every sample) and bench.md (tables with ratios, and the targets) into the output
folder. A later run replaces the parts that it measures and keeps the others; it is refused if
machine, model, --without, --precision or --threads are others. Without --model, weights of full
size are written first (6.6 GB, for 2.2 9.8 GB; random numbers, so nothing has to be downloaded).
docs/performance.md tells what each part measures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ablation
import families
import growth
import machine
import table
import whole
from families import ROOT
from options import parse
from protocol import WorkerError
from runner import Crew, Setup, converted, crew, measure, measure_rates, say
from samples import Measurements, Part
from work import COMPETITORS, COMPILED, ON_REQUEST, OPENVINO, OPENVINOS, Extent, plan

FULL_SIZE = ROOT / "build/full-size"


def model_folder(options: argparse.Namespace) -> tuple[Path, str]:
    """The decoder's folder, and what to call it."""
    made = {FULL_SIZE / family.full_size for family in families.FAMILIES.values()}
    if options.model is None:
        maker = ROOT / "tests/tools/make_full_size.py"
        subprocess.run([sys.executable, maker, FULL_SIZE, "--family", options.family], check=True)
        model = FULL_SIZE / families.FAMILIES[options.family].full_size
    else:
        model = options.model.resolve()
    return model, "random weights of full size" if model in made else f"model {model.name}"


def commit() -> str:
    """The commit that is checked out, or "" where there is no git."""
    how = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(how, capture_output=True, text=True, check=False).stdout.strip()


def competitors(options: argparse.Namespace, faster_type: str) -> list[str]:
    """Who takes part on a machine that is faster in this type."""
    wanted = set(options.against or COMPETITORS) - set(() if options.against else ON_REQUEST)
    if options.compiled:
        wanted.add(COMPILED)
    if options.openvino:
        wanted |= set(OPENVINOS)
    if faster_type != "bf16":
        say("this machine is not faster in bf16: the others take part in fp32")
        wanted.discard(OPENVINO)
    return [name for name in COMPETITORS if name in wanted]


def engine_options(options: argparse.Namespace) -> dict[str, Any]:
    """Keywords that our engine is opened with; none as it comes."""
    engine: dict[str, Any] = {}
    if options.without:
        engine["without"] = sorted(set(options.without))
    if options.precision != "auto":
        engine["precision"] = options.precision
    return engine


def earlier(path: Path, new: Measurements, options: str, fresh: bool) -> Measurements:
    """What earlier runs of the same kind measured; `new` for none. options: Part.options of this
    run.
    """
    if fresh or not path.is_file():
        return new
    found = Measurements.load(path)
    if (found.machine, found.model, found.family) != (new.machine, new.model, new.family):
        raise SystemExit(f"{path} is of another machine or model; --fresh or another --output")
    # What was slowed down on purpose, and what was not, would stand in one table.
    for part in found.parts.values():
        if part.options != options:
            was, now = (f'"{text}"' if text else "no options" for text in (part.options, options))
            raise SystemExit(
                f"{path}: {part.name} was measured with {was}, this run is with {now}; "
                "--fresh or another --output"
            )
    return found


def run(team: Crew, groups: Sequence[str], extent: Extent, names: Sequence[str]) -> Iterator[Part]:
    works = plan(groups, extent)
    with converted(team.setup, works, names) as able:
        for work in works:
            yield measure(work, extent, team, able)
    if "load" in groups:
        yield from whole.load(team, extent, names)
    if "image" in groups:
        yield from whole.image(team, extent, names)
    if "memory" in groups:
        team.stop()
        yield from whole.memory(team.setup, extent, names)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    model, label = model_folder(options)
    family = families.family_of(model)
    sizes = options.sizes or family.sizes
    extent = Extent(
        sizes[:1] if options.quick else sizes,
        options.batches,
        1 if options.quick else options.repeats,
        options.slow_up_to,
    )
    output = options.output or family.output
    groups = options.only or family.groups
    engine = engine_options(options)
    setup = Setup(
        ROOT,
        model,
        output,
        options.engine_python,
        Path(sys.executable),
        options.package,
        engine,
        options.threads,
    )
    output.mkdir(parents=True, exist_ok=True)
    path = output / "bench.json"
    told = Part("", "", engine=engine, threads=options.threads).options
    new = Measurements(machine=machine.this_machine(), model=label, family=family.name)
    found = earlier(path, new, told, options.fresh)
    measured = False
    try:
        with crew(setup) as team:
            found.rates = measure_rates(team)
            say(f"the machine itself: {table.rates(found)}")
            team.setup = replace(setup, faster_type=found.faster_type)
            names = competitors(options, found.faster_type)
            parts = run(team, groups, extent, names)
            if options.ablate is not None:
                parts = ablation.run(team, options.ablate, groups, extent)
            for part in parts:
                if not part.results:
                    continue  # nobody could do it: what earlier runs measured stays
                measured = True
                part.commit, part.engine, part.threads = commit(), engine, options.threads
                found.parts[part.name] = part
                found.versions |= team.versions()
                found.save(path)
    except WorkerError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if not measured:
        print("bench: nothing was measured", file=sys.stderr)
        return 1
    text = table.report(found)
    (output / "bench.md").write_text(text, encoding="utf-8")
    print("\n" + text)
    for line in growth.sentences(found):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
