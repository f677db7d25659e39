"""An optimiser for matrices: momentum, made orthogonal.

Fewer steps than AdamW for the same loss, which counts where steps are dear. Source: Jordan and
others, Muon (2024); the scale that lets it share AdamW's learning rate is Liu and others, Muon is
Scalable for LLM Training (2025).
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

import torch


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
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[torch.Tensor]] = collections.defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    alike[p.shape[0], p[0].numel()].append(p)
            for (rows, columns), parameters in alike.items():
                directions = []
                for p in parameters:
                    average = self.state[p].setdefault("average", torch.zeros_like(p))
                    average.lerp_(p.grad, 1 - group["momentum"])
                    directions.append(p.grad.lerp(average, group["momentum"]).view(rows, columns))
                updates = orthogonal(torch.stack(directions))
                # Updates of the size that AdamW's have.
                scale = 0.2 * max(rows, columns) ** 0.5 * group["lr"]
                for p, update in zip(parameters, updates, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update.view_as(p), alpha=-scale)
