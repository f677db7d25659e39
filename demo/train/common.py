"""What all trainers share: sizes of the parts, the work folder, budgets in minutes, checkpoints."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scenes
import torch
import torch.distributed as dist
from muon import Muon

WORK = Path(__file__).resolve().parent / "work"
MODEL = Path(__file__).resolve().parent.parent / "model"
SIZE = 128  # pixels; the size the model is made for
EMBEDDING = 128  # width of CLIP's joint space, of the prior's result and of the UNet's context
TOKENS = 77  # fixed by the Kandinsky 2.1 pipelines


@dataclass
class Options:
    """Command line of every trainer."""

    work: Path = WORK
    minutes: float = 10.0
    threads: int = 1
    seed: int = 0
    start: Path | None = None  # folder of a model to start from instead of random weights


def options(minutes: float, description: str) -> Options:
    """Reads the command line and sets up torch."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of checkpoints")
    parser.add_argument("--minutes", type=float, default=minutes, help="training time")
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--seed", type=int, default=0)
    chosen = Options(**vars(parser.parse_args()))
    prepare(chosen)
    return chosen


def prepare(chosen: Options) -> None:
    """Sets threads, seed, allocator, and the attention kernel whose backward pass is quick."""
    with contextlib.suppress(OSError, AttributeError):
        # glibc hands big blocks back at once; getting them anew costs a third of a step.
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    torch.backends.cuda.enable_flash_sdp(False)  # governs the CPU's flash kernel, too
    chosen.work.mkdir(parents=True, exist_ok=True)


class Budget:
    """Training time. Goes on counting where a checkpoint left off."""

    def __init__(self, minutes: float) -> None:
        self.seconds = minutes * 60
        self.spent = 0.0
        self._since = time.monotonic()

    def tick(self) -> float:
        """Books the time since the last call; returns the fraction spent, at most 1."""
        now = time.monotonic()
        self.spent += now - self._since
        self._since = now
        return min(1.0, self.spent / self.seconds)


def learning_rate(fraction: float, step: int, peak: float, warmup: int = 60) -> float:
    """Linear warm-up by steps, then a half cosine by time down to a hundredth."""
    return peak * min(1.0, (step + 1) / warmup) * (0.505 + 0.495 * math.cos(math.pi * fraction))


class Average:
    """Exponential moving average of a module's parameters."""

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: torch.nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        floats, news = [], []
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                floats.append(self.values[key])
                news.append(value)
            else:
                self.values[key].copy_(value)
        torch._foreach_lerp_(floats, news, 1 - decay)


def save(path: Path, content: Any) -> None:
    """torch.save that never leaves half a file."""
    partial = path.with_suffix(f".{os.getpid()}.part")
    torch.save(content, partial)
    partial.replace(path)


def load(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=False)


class Run:
    """One training run: budget, optimiser, averages, checkpoints and progress lines.

    In a process group, every process computes its own batch and gradients are averaged: on a busy
    machine that gains more than threads, which wait for each other at every operation.

    `steps()` yields step numbers until the time is up, sets the learning rate before each and
    writes a checkpoint every minute, so that an interrupted run loses no more than that.
    """

    def __init__(
        self,
        name: str,
        chosen: Options,
        modules: dict[str, torch.nn.Module],
        peak: float,
        decay: float = 0.999,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.99),
        orthogonal: Callable[[str, torch.Tensor], bool] = lambda _name, _value: False,
    ) -> None:
        self.name, self.modules, self.peak = name, modules, peak
        self.first = not dist.is_initialized() or dist.get_rank() == 0
        self.fraction = 0.0
        self.path = chosen.work / f"{name}.pt"
        self.budget = Budget(chosen.minutes)
        named = [x for m in modules.values() for x in m.named_parameters() if x[1].requires_grad]
        muon = [p for name, p in named if orthogonal(name, p)]
        rest = [p for name, p in named if not orthogonal(name, p)]
        matrices = [p for p in rest if p.ndim > 1]
        vectors = [p for p in rest if p.ndim <= 1]
        self.parameters = [p for _, p in named]
        self.optimizers: list[torch.optim.Optimizer] = []
        if muon:
            self.optimizers.append(Muon(muon, lr=peak, weight_decay=weight_decay))
        adam = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=peak,
            betas=betas,
            fused=True,
        )
        self.optimizers.append(adam)
        self.averages = {k: Average(m, decay) for k, m in modules.items()}
        self.step = 0
        self.numbers: dict[str, float] = {}
        self.extra: dict[str, Any] = {}  # kept with the checkpoint
        self.history: list[tuple[float, dict[str, float]]] = []  # minutes, smoothed numbers
        if self.path.exists():
            state = load(self.path)
            for key, module in modules.items():
                module.load_state_dict(state["modules"][key])
                self.averages[key].values = state["averages"][key]
            for optimizer, old in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(old)
            self.step, self.budget.spent = state["step"], state["spent"]
            self.extra, self.history = state.get("extra", {}), state.get("history", [])
            print(f"{name}: goes on at step {self.step}, {self.budget.spent / 60:.1f} min")
        for module in modules.values():
            module.train()

    def steps(self) -> Iterator[int]:
        saved = shown = time.monotonic()
        self.budget.tick()
        self._agree(torch.empty(0))
        while (fraction := self.fraction) < 1.0:
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(fraction, self.step, self.peak)
            yield self.step
            self.step += 1
            if not self.first:
                continue
            now = time.monotonic()
            if now - shown > 15:
                shown = now
                self.history.append((self.budget.spent / 60, dict(self.numbers)))
                numbers = "  ".join(f"{k} {v:.4f}" for k, v in self.numbers.items())
                print(
                    f"{self.name}: {100 * fraction:.0f} %  step {self.step}  "
                    f"{self.budget.spent / 60:.1f} min  {numbers}",
                    flush=True,
                )
            if now - saved > 60:
                saved = now
                self.checkpoint()
        if self.first:
            self.checkpoint()

    def _agree(self, values: torch.Tensor) -> torch.Tensor:
        """Averages values and the time spent over all processes: they must stop together."""
        self.budget.tick()
        together = torch.cat([values, torch.tensor([self.budget.spent / 60])])
        if dist.is_initialized():
            dist.all_reduce(together)
            together /= dist.get_world_size()
            self.budget.spent = together[-1].item() * 60
        self.fraction = min(1.0, self.budget.spent / self.budget.seconds)
        return together[:-1]

    def learn(self, loss: torch.Tensor, clip: float = 1.0) -> None:
        """One optimiser step on a loss."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if dist.is_initialized():
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            mean = self._agree(torch.cat([g.flatten() for g in gradients]))
            parts = mean.split([g.numel() for g in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
        else:
            self._agree(torch.empty(0))
        torch.nn.utils.clip_grad_norm_(self.parameters, clip)
        for optimizer in self.optimizers:
            optimizer.step()
        if self.first:
            for key, module in self.modules.items():
                self.averages[key].update(module, self.step)

    def note(self, **numbers: float) -> None:
        """Smoothed numbers for the progress line."""
        for key, value in numbers.items():
            old = self.numbers.get(key, value)
            self.numbers[key] = 0.98 * old + 0.02 * value

    def checkpoint(self) -> None:
        save(
            self.path,
            {
                "modules": {k: m.state_dict() for k, m in self.modules.items()},
                "averages": {k: a.values for k, a in self.averages.items()},
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "step": self.step,
                "spent": self.budget.spent,
                "extra": self.extra,
                "history": self.history,
            },
        )

    def finish(self) -> None:
        """Puts the averaged weights into the modules and switches them to evaluation."""
        for key, module in self.modules.items():
            module.load_state_dict(self.averages[key].values)
            module.eval()


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def pictures(
    rng: np.random.Generator,
    count: int,
    width: int = SIZE,
    height: int = SIZE,
    make: Callable[[np.random.Generator], scenes.Scene] = scenes.random_scene,
) -> tuple[list[scenes.Scene], np.ndarray]:
    """Random scenes and their pixels, uint8 [count, height, width, 3]."""
    truth = [make(rng) for _ in range(count)]
    return truth, np.stack([scenes.draw(scene, width, height, rng) for scene in truth])
