"""An optimiser for matrices: momentum, made orthogonal.

Fewer steps than AdamW for the same loss, which counts where steps are dear. Source: Jordan and
others, Muon (2024); the scale that lets it share AdamW's learning rate is Liu and others, Muon is
Scalable for LLM Training (2025).
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable

import torch
import torch.distributed as dist


def matrices_except(*outer: str) -> Callable[[str, torch.Tensor], bool]:
    """Whether Muon is for a weight: all of two dimensions and more, but those with such names."""
    return lambda name, value: value.ndim > 1 and not any(word in name for word in outer)


def orthogonal(matrices: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """Nearly the nearest orthogonal matrices, [N, rows, columns], by Newton-Schulz iteration.

    All rounds multiply from the left by polynomials of x x', which commute: they are gathered in
    the small square matrices, and the large ones are multiplied once.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    gram = torch.bmm(x, x.transpose(1, 2))
    eye = torch.eye(len(gram[0]))
    whole = eye.expand_as(gram)
    for _ in range(rounds):
        once = torch.baddbmm(a * eye + b * gram, gram, gram, alpha=c)
        whole = torch.bmm(once, whole)
        gram = torch.bmm(torch.bmm(once, gram), once)
    x = torch.bmm(whole, x)
    return x if wide else x.transpose(1, 2)


class Muon(torch.optim.Optimizer):
    """For weights of two dimensions and more; convolutions count as [out, rest]."""

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """In a process group, each process makes its share of the updates and all add them up."""
        workers = dist.get_world_size() if dist.is_initialized() else 1
        rank = dist.get_rank() if workers > 1 else 0
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            alike: dict[tuple[int, int], list[int]] = collections.defaultdict(list)
            for i, p in enumerate(parameters):
                if i % workers == rank or workers == 1:
                    alike[p.shape[0], p[0].numel()].append(i)
            updates = [torch.zeros_like(p) for p in parameters]
            for (rows, columns), ones in alike.items():
                directions = [
                    self._direction(parameters[i], group["momentum"]).view(rows, columns)
                    for i in ones
                ]
                # Of the size that AdamW's updates have.
                size = 0.2 * max(rows, columns) ** 0.5
                for i, update in zip(ones, orthogonal(torch.stack(directions)), strict=True):
                    updates[i] = size * update.reshape(parameters[i].shape)
            if workers > 1:
                flat = torch.cat([update.flatten() for update in updates])
                dist.all_reduce(flat)
                parts = flat.split([update.numel() for update in updates])
                updates = [x.view_as(p) for x, p in zip(parts, parameters, strict=True)]
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, updates, alpha=-group["lr"])

    def _direction(self, p: torch.Tensor, momentum: float) -> torch.Tensor:
        average = self.state[p].setdefault("average", torch.zeros_like(p))
        average.lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(average, momentum)
