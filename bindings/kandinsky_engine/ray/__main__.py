"""The command `python -m kandinsky_engine.ray JOBS.jsonl --model DIR --output DIR`."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path

from kandinsky_engine._load import core
from kandinsky_engine.ray import Pool, generate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kandinsky_engine.ray",
        description="Generates the images of a file of requests, as `kandinsky batch` does, on the "
        "machines of a Ray cluster. All machines need the model and the output folder at the "
        "same paths. The same command again generates only missing images.",
    )
    parser.add_argument("jobs", metavar="JOBS", help="a .jsonl, .csv or .txt file")
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--output", required=True, help="folder for the images, on a shared disk")
    parser.add_argument(
        "--defaults", help="a JSON file of defaults for options that lines leave out"
    )
    parser.add_argument(
        "--address", help="of the cluster, or auto. Default: a cluster of this machine only"
    )
    parser.add_argument(
        "--actors", type=int, default=1, help="number of actors; each holds the model"
    )
    parser.add_argument("--cpus", type=float, default=1, help="of each actor")
    parser.add_argument("--gpus", type=float, default=0, help="of each actor")
    parser.add_argument("--memory", type=int, help="of each actor, in bytes")
    parser.add_argument(
        "--batch-size", type=int, default=16, help="lines that an actor gets at a time"
    )
    return parser


def main(arguments: list[str]) -> int:
    given = _parser().parse_args(arguments)
    requests = core.read_request_file(os.fsencode(given.jobs))
    defaults = json.loads(Path(given.defaults).read_text("utf-8")) if given.defaults else {}

    import ray  # noqa: PLC0415 - after the file was read
    import ray.data  # noqa: PLC0415

    ray.init(address=given.address, logging_level="warning")
    ray.data.DataContext.get_current().enable_progress_bars = False
    # Blocks that are there need no tasks, for which actors may have left no CPU.
    rows = ray.data.from_items(
        [{"request": request} for request in requests],
        override_num_blocks=math.ceil(len(requests) / given.batch_size),
    )
    results = generate(
        rows,
        model=Path(given.model).resolve(),
        output=Path(given.output).resolve(),
        pools=[Pool(given.actors, given.cpus, given.gpus, given.memory)],
        batch_size=given.batch_size,
        folder=Path(given.jobs).resolve().parent,
        **defaults,
    )
    start, errors = time.monotonic(), 0
    for done, row in enumerate(results.iter_rows(), 1):
        if row["error"]:
            errors += 1
            print(f"{row['id'] or row['request']}: {row['error']}", file=sys.stderr)
        else:
            print(row["path"], flush=True)
        pace = done * 3600 / (time.monotonic() - start)
        print(f"{done} of {len(requests)}, {pace:.4g} an hour", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
