"""Makes the demo model from nothing: all trainers in order, then the export.

Every stage is skipped when its result is there and goes on from its last checkpoint otherwise, so
the same command may be stopped and started at will.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from common import MODEL, WORK

HERE = Path(__file__).resolve().parent
# command, result inside the work folder, minutes at --scale 1
STAGES: tuple[tuple[tuple[str, ...], str, float], ...] = (
    (("train_movq.py", "both"), "movq", 18),
    (("train_clip.py",), "xlmr", 15),
    (("train_prior.py",), "prior", 8),
    (("train_movq.py", "decoder"), "movq_final", 15),
    (("train_unet.py", "train"), "xlmr_final", 84),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of checkpoints")
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the exported model")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every stage's time")
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    total = sum(minutes for _, _, minutes in STAGES) * given.scale
    print(f"about {total:.0f} minutes of training in all")
    for number, (command, result, minutes) in enumerate(STAGES, 1):
        name = " ".join(command)
        if (given.work / result).exists():
            print(f"[{number}/{len(STAGES)}] {name}: done before")
            continue
        print(f"[{number}/{len(STAGES)}] {name}: {minutes * given.scale:.0f} min", flush=True)
        began = time.monotonic()
        arguments = ["--work", str(given.work), "--minutes", str(minutes * given.scale)]
        arguments += ["--threads", str(given.threads)]
        subprocess.run(
            [sys.executable, str(HERE / command[0]), *command[1:], *arguments], check=True
        )
        print(f"[{number}/{len(STAGES)}] {name}: {(time.monotonic() - began) / 60:.1f} min")
    subprocess.run(
        [sys.executable, str(HERE / "export.py"), "--work", str(given.work), "--target",
         str(given.model)], check=True
    )  # fmt: skip


if __name__ == "__main__":
    main()
