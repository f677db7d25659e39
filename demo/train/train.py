"""Makes the demo model: all trainers in order, then the export and a picture of the losses.

Every stage is skipped when its result is there and goes on from its last checkpoint otherwise, so
the same command may be stopped and started at will.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import losses
from common import MODEL, WORK

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Stage:
    """One trainer. result: what it leaves in the work folder. minutes: at --scale 1."""

    command: tuple[str, ...]
    result: str
    minutes: float
    starts: bool = False  # whether it can start from a model


STAGES = (
    Stage(("train_movq.py", "both"), "movq", 40, starts=True),
    Stage(("train_vision.py",), "vision", 30),
    Stage(("train_text.py", "xlmr"), "xlmr", 6),
    Stage(("train_text.py", "clip"), "text", 6),
    Stage(("train_prior.py",), "prior", 10),
    Stage(("pool.py",), "pool/whole", 0),
    Stage(("train_movq.py", "decoder"), "movq_final", 30),
    Stage(("train_unet.py", "--workers", "2"), "xlmr_final", 75),
    Stage(("train_inpaint.py", "--workers", "2"), "inpaint", 20),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of checkpoints")
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the exported model")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every stage's time")
    parser.add_argument("--threads", type=int, default=1, help="torch threads of each process")
    parser.add_argument(
        "--start", type=Path, help="folder of a model whose MoVQ to start from, e.g. demo/model"
    )
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    total = sum(stage.minutes for stage in STAGES) * given.scale
    print(f"about {total / 60:.1f} hours of training in all, and ten minutes of drawing")
    for number, stage in enumerate(STAGES, 1):
        name = f"[{number}/{len(STAGES)}] {' '.join(stage.command)}"
        if (given.work / stage.result).exists():
            print(f"{name}: done before")
            continue
        minutes = stage.minutes * given.scale
        print(f"{name}: {minutes:.0f} min", flush=True)
        began = time.monotonic()
        arguments = ["--work", str(given.work), "--minutes", str(minutes)]
        arguments += ["--threads", str(given.threads)]
        if stage.starts and given.start is not None:
            arguments += ["--start", str(given.start)]
        command = [sys.executable, str(HERE / stage.command[0]), *stage.command[1:], *arguments]
        subprocess.run(command, check=True)
        print(f"{name}: {(time.monotonic() - began) / 60:.1f} min")
        print(f"losses: {losses.draw(given.work)}", flush=True)
    export = [sys.executable, str(HERE / "export.py"), "--work", str(given.work)]
    subprocess.run([*export, "--target", str(given.model)], check=True)


if __name__ == "__main__":
    main()
