"""Makes the demo model: all trainers in order, then the export and an image of the losses.

Every stage is skipped when its result is there and goes on from its last checkpoint otherwise, so
the same command may be stopped and started at will.
"""

from __future__ import annotations

import argparse
import shutil
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
    """One trainer.

    result: what it leaves in the work folder. steps: at --scale 1. minutes: that these should take
    on two cores with nothing else to do. shipped: the part of a finished model that does instead.
    in_2_2: whether Kandinsky 2.2's UNets need it besides a finished model of 2.1.
    """

    command: tuple[str, ...]
    result: str
    steps: int
    minutes: float
    shipped: str | None = None
    in_2_2: bool = False


STAGES = (
    Stage(("train_movq.py", "both"), "movq_both", 4000, 55, "kandinsky-demo/movq"),
    Stage(("train_movq.py", "small"), "movq", 5000, 27, "kandinsky-demo/movq"),
    Stage(("train_vision.py",), "vision", 1420, 10),
    Stage(("train_text.py", "xlmr"), "xlmr", 1200, 6, "kandinsky-demo/text_encoder"),
    Stage(("train_text.py", "clip"), "text", 1200, 6),
    Stage(("train_prior.py",), "prior", 3000, 8),
    Stage(("pool.py",), "pool/whole", 0, 15, in_2_2=True),
    Stage(("guesses.py",), "guesses/whole", 0, 10, in_2_2=True),
    Stage(("train_unet.py",), "xlmr_final", 8000, 90),
    Stage(("train_movq.py", "decoder"), "movq_final", 6000, 65),
    Stage(("train_inpaint.py",), "inpaint", 2500, 35),
    Stage(("train_unet_2_2.py", "decoder"), "decoder_2_2", 1500, 20, in_2_2=True),
    Stage(("train_unet_2_2.py", "depth"), "depth_2_2", 2500, 40, in_2_2=True),
)
# Of a finished model, and in the work folder.
TOKENIZERS = (
    ("kandinsky-demo-prior/tokenizer", "clip_tokenizer"),
    ("kandinsky-demo/tokenizer", "xlmr_tokenizer"),
)
PARTS = (
    ("kandinsky-demo/movq", "movq"),
    ("kandinsky-demo/unet", "unet"),
    ("kandinsky-demo/text_encoder", "xlmr_final"),
    ("kandinsky-demo-prior/image_encoder", "vision"),
    ("kandinsky-demo-prior/text_encoder", "text"),
    ("kandinsky-demo-prior/prior", "prior"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of checkpoints")
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the exported model")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies all steps")
    parser.add_argument("--workers", type=int, default=2, help="processes that share the work")
    parser.add_argument("--start", type=Path, help="folder of a model to go on from: demo/model")
    parser.add_argument(
        "--only-2-2",
        type=Path,
        metavar="MODEL",
        help="train the UNets of Kandinsky 2.2 alone, anew, from the parts of 2.1 in this folder",
    )
    given = parser.parse_args()
    if given.start is not None and given.only_2_2 is not None:
        parser.error("--start goes on with all parts, --only-2-2 keeps those of 2.1: give one")
    given.work.mkdir(parents=True, exist_ok=True)
    # Both text towers know a tokenizer's pieces by their numbers.
    for source, parts in ((given.start, TOKENIZERS), (given.only_2_2, TOKENIZERS + PARTS)):
        for shipped, result in parts if source is not None else ():
            shutil.copytree(source / shipped, given.work / result, dirs_exist_ok=True)
    stages = [stage for stage in STAGES if stage.in_2_2 or given.only_2_2 is None]
    total = sum(stage.minutes for stage in stages) * given.scale
    print(f"about {total / 60:.1f} hours in all")
    for number, stage in enumerate(stages, 1):
        name = f"[{number}/{len(stages)}] {' '.join(stage.command)}"
        if (given.work / stage.result).exists():
            print(f"{name}: done before")
            continue
        if stage.shipped is not None and given.start is not None:
            # The pool's latents and the first words are as good as they need to be.
            shutil.copytree(given.start / stage.shipped, given.work / stage.result)
            print(f"{name}: taken from {given.start / stage.shipped}")
            continue
        print(f"{name}: {stage.minutes * given.scale:.0f} min", flush=True)
        began = time.monotonic()
        steps = max(1, round(stage.steps * given.scale))
        arguments = ["--work", str(given.work), "--steps", str(steps)]
        arguments += ["--workers", str(given.workers)]
        if given.start is not None:
            arguments += ["--start", str(given.start)]
        command = [sys.executable, str(HERE / stage.command[0]), *stage.command[1:], *arguments]
        subprocess.run(command, check=True)
        print(f"{name}: {(time.monotonic() - began) / 60:.1f} min")
        print(f"losses: {losses.draw(given.work)}", flush=True)
    export = [sys.executable, str(HERE / "export.py"), "--work", str(given.work)]
    export += ["--only-2-2"] if given.only_2_2 is not None else []
    subprocess.run([*export, "--target", str(given.model)], check=True)


if __name__ == "__main__":
    main()
