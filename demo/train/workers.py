"""The command line of trainings that several processes share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch.distributed as dist
import torch.multiprocessing
from common import Options, prepare


def _work(rank: int, workers: int, train: Callable[[Options], None], chosen: Options) -> None:
    """One of several processes of a training."""
    meeting = chosen.work / "meeting"
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=workers)
    prepare(chosen)
    train(chosen)
    dist.destroy_process_group()


def rank_and_size() -> tuple[int, int]:
    """Which process this is, and of how many."""
    if not dist.is_initialized():
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def main(train: Callable[[Options], None], minutes: float, description: str | None) -> None:
    """Reads the command line and trains, alone or in so many processes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--work", type=Path, default=Options.work, help="folder of checkpoints")
    parser.add_argument("--minutes", type=float, default=minutes, help="training time")
    parser.add_argument("--threads", type=int, default=1, help="torch threads of each process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work")
    parser.add_argument("--rank", type=int, help="be this one of the processes, started by hand")
    given = vars(parser.parse_args())
    workers, rank = given.pop("workers"), given.pop("rank")
    chosen = Options(**given)
    prepare(chosen)
    if rank is not None:
        _work(rank, workers, train, chosen)
    elif workers > 1:
        (chosen.work / "meeting").unlink(missing_ok=True)
        torch.multiprocessing.spawn(_work, (workers, train, chosen), workers)
    else:
        train(chosen)
