"""Generates the images of a Ray dataset on the machines of a Ray cluster.

    from kandinsky_engine.ray import Pool, generate

    results = generate(
        ray.data.read_json("jobs.jsonl"), model="/models/kandinsky-2-1", output="/shared/images"
    )
    results.write_parquet("/shared/results")

A row is a request, like a line of `kandinsky batch`: its columns are options by name, or it has
one column, "request", with the JSON of such a line. Parsing, ids, files and the manifest are those
of `kandinsky batch`: each skips the images that the other has finished.

Ray (`pip install "ray[data]"`) is imported by the functions that need it.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import socket
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kandinsky_engine._load import core

if TYPE_CHECKING:
    import ray.data

__all__ = ["Generator", "Pool", "generate"]

_COLUMNS = {"id": str, "sha256": str, "device": str, "precision": str, "error": str}


@dataclass(frozen=True)
class Pool:
    """Actors of one kind. Each holds the model once."""

    actors: int | tuple[int, int] = 1
    """The number, or minimum and maximum."""
    cpus: float = 1
    """Of each; the engine computes on as many threads."""
    gpus: float = 0
    """Of each; above 0 it computes there."""
    memory: int | None = None
    """Of each, in bytes, the engine's limit. None: the free memory of its machine."""
    share: float = 1
    """Of the rows, relative to the other pools."""


class Generator:
    """For ray.data.Dataset.map_batches: an actor that opens its model once.

    Adds the columns id, path (or, without `output`, bytes), seed, seconds, sha256, device,
    precision and error, which is "" on success.

    options: defaults for rows, by `kandinsky batch`'s names, including the engine's.
    folder: base of the rows' relative paths. It must exist on each machine, as must `output`.
    """

    def __init__(
        self,
        options: Mapping[str, object],
        output: str | os.PathLike[str] | None = None,
        folder: str | os.PathLike[str] = ".",
    ) -> None:
        granted = _granted()
        threads = max(1, int(granted.get("CPU", 0)) or torch.get_num_threads())
        torch.set_num_threads(threads)
        given = {
            "device": "cuda" if granted.get("GPU", 0) > 0 else "cpu",
            **({"max_memory": int(granted["memory"])} if granted.get("memory") else {}),
            **options,
        }
        self._scratch = tempfile.TemporaryDirectory() if output is None else None
        self._output = Path(self._scratch.name if self._scratch else output or "")
        self._output.mkdir(parents=True, exist_ok=True)
        self._worker = core.Worker(
            json.dumps({name: value for name, value in given.items() if value is not None}),
            os.fsencode(folder),
            os.fsencode(self._output),
            f"manifest-{socket.gethostname()}-{os.getpid()}.jsonl",
            threads,
            logging.getLogger(__name__).warning,
        )

    def __call__(self, batch: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
        answers = self._worker.run(list(_requests(batch)))
        paths = [self._output / answer["file"] if answer["file"] else None for answer in answers]
        result: dict[str, Any] = {name: list(column) for name, column in batch.items()}
        for name in _COLUMNS:
            result[name] = [answer[name] for answer in answers]
        result["seed"] = np.array([answer["seed"] for answer in answers], dtype=np.uint64)
        result["seconds"] = np.array([answer["seconds"] for answer in answers], dtype=np.float64)
        if self._scratch is None:
            result["path"] = ["" if path is None else str(path) for path in paths]
        else:
            result["bytes"] = [b"" if path is None else path.read_bytes() for path in paths]
        return result


def generate(
    dataset: ray.data.Dataset,
    *,
    model: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    pools: Iterable[Pool] = (Pool(),),
    batch_size: int = 16,
    folder: str | os.PathLike[str] = ".",
    **options: object,
) -> ray.data.Dataset:
    """The dataset with its images, generated when it is read; see Generator for the columns.

    batch_size: rows of a block that an actor gets at a time, and loses if it dies. More
    keywords: `kandinsky batch` options as defaults for rows.
    """
    chosen = list(pools)
    total = sum(pool.share for pool in chosen)
    shares = [pool.share / total for pool in chosen[:-1]]
    parts = dataset.split_proportionately(shares) if shares else [dataset]
    made = [
        _map(part, pool, batch_size, {"model_dir": os.fspath(model), **options}, output, folder)
        for part, pool in zip(parts, chosen, strict=True)
    ]
    return made[0].union(*made[1:]) if len(made) > 1 else made[0]


def _map(
    dataset: ray.data.Dataset,
    pool: Pool,
    batch_size: int,
    options: Mapping[str, object],
    output: str | os.PathLike[str] | None,
    folder: str | os.PathLike[str],
) -> ray.data.Dataset:
    import ray.data  # noqa: PLC0415 - only where it is used

    least, most = pool.actors if isinstance(pool.actors, tuple) else (pool.actors, pool.actors)
    return dataset.map_batches(
        Generator,
        fn_constructor_kwargs={"options": options, "output": output, "folder": folder},
        batch_size=batch_size,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(
            min_size=least, max_size=most, max_tasks_in_flight_per_actor=2
        ),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus or None,
        memory=pool.memory,
    )


def _granted() -> Mapping[str, float]:
    """Resources of this actor; empty outside an actor."""
    import ray  # noqa: PLC0415 - only where it is used

    if not ray.is_initialized():
        return {}
    granted: Mapping[str, float] = ray.get_runtime_context().get_assigned_resources()
    return granted


def _requests(batch: Mapping[str, np.ndarray[Any, Any]]) -> Iterable[str]:
    if "request" in batch:
        yield from (str(request) for request in batch["request"])
        return
    for i in range(len(next(iter(batch.values())))):
        row = {name: _plain(column[i]) for name, column in batch.items()}
        yield json.dumps({name: value for name, value in row.items() if value is not None})


def _plain(value: Any) -> Any:
    """A cell as a JSON value; None if it is empty."""
    if isinstance(value, bytes):
        return "data:;base64," + base64.b64encode(value).decode()
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        plain = {name: _plain(item) for name, item in value.items()}
        return {name: item for name, item in plain.items() if item is not None}
    if isinstance(value, np.generic):
        value = value.item()
    # An integer's column in which some rows have nothing is one of floating-point numbers.
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    return value
