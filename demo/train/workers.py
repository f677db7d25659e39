"""The command line of trainings that several processes share."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread

import torch.distributed as dist
import torch.multiprocessing
from common import Options, arguments, prepare

Train = Callable[[Options], None]


def _end_with(starter: BaseProcess | None) -> None:
    """Ends this process with the one that started it, which a signal may have killed: it would
    train on by itself, and write over the checkpoints of the next training.
    """
    assert starter is not None
    starter.join()
    os._exit(1)


def _work(rank: int, workers: int, train: Train, chosen: Options) -> None:
    """One of several processes of a training."""
    Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    meeting = chosen.work.resolve() / "meeting"  # an address has no relative paths
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=workers)
    prepare(chosen)
    train(chosen)
    dist.destroy_process_group()


def rank_and_size() -> tuple[int, int]:
    """Which process this is, and of how many."""
    if not dist.is_initialized():
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def mark_whole(folder: Path) -> None:
    """Says, once all processes are there, that everything in a folder is made."""
    if dist.is_initialized():
        dist.barrier()
    (folder / "whole").touch()


def main(train: Train | dict[str, Train], steps: int, description: str | None) -> None:
    """Reads the command line and trains, alone or in so many processes.

    train: one training, or several by the word on the command line that chooses one.
    """
    parser = arguments(steps, description)
    if isinstance(train, dict):
        parser.add_argument("which", choices=train)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work")
    given = vars(parser.parse_args())
    workers = given.pop("workers")
    if isinstance(train, dict):
        train = train[given.pop("which")]
    chosen = Options(**given)
    if workers > 1:
        chosen.work.mkdir(parents=True, exist_ok=True)
        (chosen.work / "meeting").unlink(missing_ok=True)
        torch.multiprocessing.spawn(_work, (workers, train, chosen), workers)
    else:
        prepare(chosen)
        train(chosen)
