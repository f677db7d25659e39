"""What all trainers share: sizes of the parts, command line, optimisers, checkpoints."""

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
from typing import Any, TypeVar

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


M = TypeVar("M", bound=torch.nn.Module)


@dataclass
class Options:
    """Command line of every trainer."""

    work: Path = WORK
    steps: int = 1000
    threads: int = 1
    seed: int = 0
    start: Path | None = None  # folder of a model to start from instead of random weights

    def begin(self, kind: type[M], part: str, new: Callable[[], M]) -> M:
        """A network of the model to start from, e.g. "kandinsky-demo/unet", or a new one."""
        if self.start is None:
            return new()
        return kind.from_pretrained(self.start / part).float()


def arguments(steps: int, description: str | None) -> argparse.ArgumentParser:
    """The command line that all trainers have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of checkpoints")
    parser.add_argument("--steps", type=int, default=steps, help="length of the training")
    parser.add_argument("--threads", type=int, default=1, help="torch threads of each process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start", type=Path, help="folder of a model to start from, e.g. demo/model"
    )
    return parser


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


def quick_precision() -> torch.autocast:
    """bf16 where the processor computes in it, fp32 elsewhere: emulated bf16 is far slower."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())


def learning_rate(fraction: float, step: int, peak: float, warmup: int = 60) -> float:
    """Linear warm-up, then a half cosine over the whole training down to a hundredth."""
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
    """One training run: optimisers, averages, checkpoints and progress lines.

    In a process group, every process computes its own batch and gradients are averaged: on a busy
    machine that gains more than threads, which wait for each other at every operation.

    `steps()` yields the numbers of the steps that are left, sets the learning rate before each and
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
        self.name, self.modules = name, modules
        # What is trained already would be thrown back by large steps.
        self.peak = peak if chosen.start is None else peak / 2
        self.first = not dist.is_initialized() or dist.get_rank() == 0
        self.end = chosen.steps
        self.path = chosen.work / f"{name}.pt"
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
        self.history: list[tuple[int, dict[str, float]]] = []  # step, smoothed numbers
        if self.path.exists():
            state = load(self.path)
            for key, module in modules.items():
                module.load_state_dict(state["modules"][key])
                self.averages[key].values = state["averages"][key]
            for optimizer, old in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(old)
            self.step, self.extra, self.history = state["step"], state["extra"], state["history"]
            print(f"{name}: goes on at step {self.step}")
        for module in modules.values():
            module.train()
        # Every process and every start draws noise of its own.
        torch.manual_seed(chosen.seed + 1000 * self.step + (0 if self.first else dist.get_rank()))

    @property
    def fraction(self) -> float:
        """Of the training that is over."""
        return self.step / self.end

    def steps(self) -> Iterator[int]:
        saved = shown = time.monotonic()
        while self.step < self.end:
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(self.fraction, self.step, self.peak)
            yield self.step
            self.step += 1
            if not self.first:
                continue
            now = time.monotonic()
            if now - shown > 15:
                shown = now
                self.history.append((self.step, dict(self.numbers)))
                numbers = "  ".join(f"{k} {v:.4f}" for k, v in self.numbers.items())
                print(f"{self.name}: step {self.step} of {self.end}  {numbers}", flush=True)
            if now - saved > 60:
                saved = now
                self.checkpoint()
        if self.first:
            self.checkpoint()

    def learn(self, loss: torch.Tensor, clip: float = 1.0) -> None:
        """One optimiser step on a loss."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if dist.is_initialized():
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            mean = torch.cat([g.flatten() for g in gradients])
            dist.all_reduce(mean)
            mean /= dist.get_world_size()
            parts = mean.split([g.numel() for g in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
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
                "extra": self.extra,
                "history": self.history,
            },
        )

    def finish(self) -> None:
        """Puts the averaged weights into the modules and switches them to evaluation."""
        for key, module in self.modules.items():
            module.load_state_dict(self.averages[key].values)
            module.eval()


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_pixels(tensor: torch.Tensor) -> np.ndarray:
    """float [B, 3, H, W] around [-1, 1] to uint8 [B, H, W, 3]."""
    levels = tensor.float().add(1).mul(127.5).round().clamp(0, 255)
    return levels.byte().permute(0, 2, 3, 1).numpy()


def images(
    rng: np.random.Generator,
    count: int,
    width: int = SIZE,
    height: int = SIZE,
    make: Callable[[np.random.Generator], scenes.Scene] = scenes.random_scene,
) -> tuple[list[scenes.Scene], np.ndarray]:
    """Random scenes and their pixels, uint8 [count, height, width, 3]."""
    truth = [make(rng) for _ in range(count)]
    return truth, np.stack([scenes.draw(scene, width, height, rng) for scene in truth])
