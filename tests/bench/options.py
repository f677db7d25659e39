"""The command line of bench.py."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from families import FAMILIES, ROOT
from work import COMPETITORS, GROUPS, ON_REQUEST


def _joined(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measures our engine beside diffusers, by turns, on the same weights."
    )
    add = parser.add_argument_group("what is measured").add_argument
    groups = ", ".join(GROUPS)
    add("--only", nargs="+", choices=GROUPS, metavar="GROUP",
        help=f"of {groups}; default: all; of 2.2 {_joined(FAMILIES['2.2'].groups)}")  # fmt: skip
    add("--sizes", nargs="+", type=int, metavar="PIXELS",
        help="sides of images; all but the first concern UNet, MoVQ and memory only; default: "
        f"{_joined(FAMILIES['2.1'].sizes)}; of 2.2 {_joined(FAMILIES['2.2'].sizes)}")  # fmt: skip
    add("--batches", nargs="+", type=int, default=[1, 2, 4], metavar="N")
    add("--repeats", type=int, default=3, metavar="N", help="rounds; what is slow runs fewer")
    add("--quick", action="store_true", help="one round, the first size only")
    add("--ablate", nargs="*", metavar="SPEEDUP",
        help="instead: UNet step, prior and decode with each of these speed-ups (default: "
        "all) left out in turn")  # fmt: skip

    add = parser.add_argument_group("who takes part").add_argument
    names = ", ".join(COMPETITORS)
    add("--against", nargs="+", choices=COMPETITORS, metavar="NAME",
        help=f"of {names}; default: all but {_joined(ON_REQUEST)}")  # fmt: skip
    add("--compiled", action="store_true",
        help="and diffusers' UNet through torch.compile (minutes more)")  # fmt: skip
    add("--openvino", action="store_true",
        help="and diffusers' UNet through OpenVINO (minutes more; 8 GB of memory)")  # fmt: skip
    add("--slow-up-to", type=int, default=768, metavar="PIXELS",
        help="diffusers in fp32 takes part up to this size (default 768)")  # fmt: skip
    add("--without", action="append", default=[], metavar="SPEEDUP",
        help="leaves a speed-up of the engine out")  # fmt: skip
    add("--precision", default="auto", help="of the engine: auto, fp32, bf16")
    add("--threads", type=int, default=0, help="for everybody; default: torch's own choice")

    add = parser.add_argument_group("where things are").add_argument
    add("--model", type=Path,
        help="decoder folder, prior beside it; default: random weights of full size")  # fmt: skip
    add("--family", choices=FAMILIES, default="2.1",
        help="of those weights: 2.1 (default) or 2.2")  # fmt: skip
    add("--output", type=Path, help="default build/bench, of 2.2 build/bench-2.2")
    add("--fresh", action="store_true", help="forgets earlier runs in the output folder")
    add("--package", type=Path, default=ROOT / "build/python",
        help="folder that holds kandinsky_engine; default build/python")  # fmt: skip
    add("--engine-python", type=Path, default=ROOT / ".venv/bin/python",
        help="the Python it was built for; default .venv's")  # fmt: skip
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    for name, least in (("repeats", 1), ("threads", 0)):
        if getattr(options, name) < least:
            parser.error(f"--{name}: {least} or more is needed, got {getattr(options, name)}")
    if any(size < 8 or size % 8 for size in options.sizes or ()):
        parser.error(f"--sizes: multiples of 8 are needed, got {options.sizes}")
    if any(batch < 1 for batch in options.batches):
        parser.error(f"--batches: 1 or more is needed, got {options.batches}")
    return options
