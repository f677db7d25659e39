"""Generates on a Ray cluster of several nodes, all on this machine, while parts of it are killed.

    check_ray.py --images 200

The images have to be those of `kandinsky batch`, byte for byte, each there once. `make ray` runs
this, the tests a short form.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = ("torch", "torchgen", "functorch")
DEFAULTS = {"num_inference_steps": 4, "prior_num_inference_steps": 2, "precision": "fp32"}
NODES = 3


def share_torch(folder: Path) -> None:
    """Lets this and Ray's processes find the built package and, of .venv, torch alone."""
    (packages,) = (ROOT / ".venv/lib").glob("python3.*/site-packages")
    for name in TORCH:
        if (packages / name).is_dir():
            (folder / name).symlink_to(packages / name)
    os.environ["PYTHONPATH"] = f"{ROOT / 'build/python'}:{folder}"
    sys.path += [str(ROOT / "build/python"), str(folder)]
    os.environ["OMP_NUM_THREADS"] = "1"
    # Ray's own: no reports to its makers, no page, no waiting for disks.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def make_models(folder: Path) -> Path:
    subprocess.run(
        [
            *(ROOT / ".venv/bin/python", ROOT / "tests/support/tiny_model.py", folder),
            *("--models", "tiny-2-1", "tiny-2-1-prior"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "tiny-2-1"


def write_jobs(folder: Path, count: int) -> Path:
    """Lines of two sizes, every third with an id of its own."""
    (folder / "defaults.json").write_text(json.dumps(DEFAULTS), encoding="utf-8")
    with (folder / "jobs.jsonl").open("w", encoding="utf-8") as file:
        for i in range(count):
            row: dict[str, object] = {"prompt": f"a circle, {i // 4}", "seed": i}
            if i % 3 == 0:
                row |= {"id": f"image-{i}"}
            if i % 5 == 0:
                row |= {"width": 96}
            file.write(json.dumps(row) + "\n")
    return folder / "jobs.jsonl"


def images(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


class Driver:
    """The command, as a person starts it."""

    def __init__(self, jobs: Path, model: Path, output: Path, address: str) -> None:
        self.output = output
        self.log = output.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "kandinsky_engine.ray", jobs, "--model", model),
                    *("--defaults", jobs.with_name("defaults.json"), "--output", output),
                    *("--address", address, "--actors", str(NODES), "--batch-size", "4"),
                ],
                stdout=log,
                stderr=log,
            )

    def wait_for(self, count: int) -> None:
        """Until there are so many images."""
        for _ in range(3000):
            if len(list(self.output.glob("*.png"))) >= count:
                return
            if self.process.poll() is not None:
                self.fail(f"it ended before there were {count} images")
            time.sleep(0.1)
        self.fail(f"there are no {count} images after five minutes")

    def finish(self) -> None:
        if self.process.wait(timeout=600) != 0:
            self.fail(f"its exit code is {self.process.returncode}")

    def fail(self, what: str) -> None:
        sys.exit(f"{what}\n{self.log.read_text('utf-8')[-4000:]}")


@contextmanager
def cluster() -> Iterator[tuple[object, list[object]]]:
    """A head without CPUs for work, and nodes with one each."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - after PYTHONPATH is set

    memory = 100 << 20
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": memory, "include_dashboard": False},
    )
    try:
        yield made, [add_node(made) for _ in range(NODES)]
    finally:
        made.shutdown()


def add_node(made: object) -> object:
    # One for an actor; the other lets it start again here when another node is gone.
    return made.add_node(num_cpus=2, object_store_memory=100 << 20)  # type: ignore[attr-defined]


def actors() -> list[int]:
    """Processes of actors of this program's cluster."""
    import psutil  # noqa: PLC0415

    below = psutil.Process().children(recursive=True)
    return [process.pid for process in below if "ray::MapWorker" in " ".join(process.cmdline())]


def check(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "packages").mkdir()
        share_torch(folder / "packages")
        model = make_models(folder)
        jobs = write_jobs(folder, count)
        begin = time.monotonic()
        subprocess.run(
            [
                *(ROOT / "build/kandinsky", "batch", jobs, "--model", model, "--quiet"),
                *("--defaults", jobs.with_name("defaults.json"), "--output", folder / "batch"),
                "--threads=1",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        wanted = images(folder / "batch")
        say(f"kandinsky batch: {len(wanted)} images", begin)
        output = folder / "ray"
        output.mkdir()
        begin = time.monotonic()
        with cluster() as (made, nodes):
            address: str = made.address  # type: ignore[attr-defined]
            driver = Driver(jobs, model, output, address)
            steps: list[tuple[str, Callable[[], object]]] = [
                ("an actor is killed", lambda: os.kill(actors()[0], signal.SIGKILL)),
                (
                    "a node is killed",
                    lambda: made.remove_node(nodes[0], allow_graceful=False),  # type: ignore[attr-defined]
                ),
                ("a node is added", lambda: add_node(made)),
                ("the driver is killed", driver.process.kill),
            ]
            for i, (what, do) in enumerate(steps, 1):
                driver.wait_for(count * i // (len(steps) + 2))
                do()
                say(f"{len(images(output))} images: {what}", begin)
            driver.process.wait()
            left = count - len(images(output))
            again = Driver(jobs, model, output, address)
            again.finish()
            say(f"the driver again, with {left} images left", begin)
            check_pools(made.address, jobs, model, wanted)  # type: ignore[attr-defined]
            say("two pools gave the same bytes", begin)
        made_images = images(output)
        if made_images != wanted:
            missing = sorted(wanted.keys() - made_images.keys())
            other = [name for name in wanted.keys() & made_images.keys()
                     if wanted[name] != made_images[name]]  # fmt: skip
            sys.exit(f"missing: {missing}; other than by kandinsky batch: {other}")
        lines = [
            json.loads(line)
            for path in output.glob("manifest*.jsonl")
            for line in path.read_text("utf-8").splitlines()
        ]
        if {line["file"] for line in lines} != wanted.keys():
            sys.exit("the manifests do not name every image")
        if list(output.glob(".*")):
            say(f"parts that killed processes left: {len(list(output.glob('.*')))}", begin)
        say(f"all {count} images are those of kandinsky batch; {len(lines)} were made", begin)


def check_pools(address: str, jobs: Path, model: Path, wanted: dict[str, bytes]) -> None:
    """Rows by columns, which two kinds of actors share, one of them short of memory; no folder."""
    import ray.data  # noqa: PLC0415

    from kandinsky_engine.ray import Pool, generate  # noqa: PLC0415

    ray.init(address=address, logging_level="error", log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = [json.loads(line) for line in jobs.read_text("utf-8").splitlines()[:6]]
    columns = ("prompt", "seed", "id", "width")
    results = generate(
        ray.data.from_items([{name: row.get(name) for name in columns} for row in rows]),
        model=model,
        pools=[Pool(share=0.6), Pool(cpus=0.5, memory=1 << 30, share=0.4)],
        batch_size=2,
        **DEFAULTS,
    ).take_all()
    ray.shutdown()
    other = [row["id"] for row in results if row["bytes"] != wanted.get(f"{row['id']}.png")]
    if other or len(results) != len(rows):
        sys.exit(f"{len(results)} rows of pools, other than by kandinsky batch: {other}")


def say(what: str, begin: float) -> None:
    print(f"{time.monotonic() - begin:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    check(parser.parse_args().images)
