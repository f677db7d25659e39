"""Writes optimized_levels.def: for some samplers and each number of steps, the noise levels at
which the sampler's own error is least.

    .venv/bin/python core/samplers/make_optimized_levels.py    # some minutes

No model is run. The error is that of a loop on data whose exact solution is known: single values
that lie around +a or -a, normally distributed with deviation SPREAD * a. Their best denoiser is
known, and their path can be followed in many small steps. An image's latents are many such values,
of small a (fine detail) to large (what is where): the mean is over the squared errors of all, each
weighted by 1 / a.

Normally distributed values alone, whose denoiser is linear, were tried: their levels are good from
12 steps on, and too sure of the multistep samplers below. So were the weights that a loop gives to
the network's errors (arXiv:2402.17376): those levels were worse than the usual ones at all numbers
of steps. LMS and UniPC, at levels found in the same way, gave no better images than DPM++ 2M.
The numbers below were chosen with the demo model, by the distance to the solution in 200 steps; see
demo/score/frontier.py. The levels depend on the noise schedule by its ends alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import torch

FIRST, LEAST = 25.146, 0.0292
"""Sigmas at the ends of the schedule: 1000 steps of betas from 0.00085 to 0.012, linear."""
STEPS = range(4, 21)
AMPLITUDES = (0.3, 8.0, 7)
"""Least and largest a, and how many, evenly spaced in their logarithm."""
SPREAD = 0.2
QUANTILES = (0.54, 0.97, 10)
"""Of the noise that paths begin with; the other half is its mirror image."""
SMALL_STEPS = 600
ITERATIONS = 400
BEGINNINGS = (0.05, 0.4)
"""Last levels to begin the search with."""

Denoise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Loop = Callable[[torch.Tensor, torch.Tensor, Denoise], torch.Tensor]


def euler(x: torch.Tensor, sigmas: torch.Tensor, denoise: Denoise) -> torch.Tensor:
    """samplers/euler.cpp, and ddim.cpp, which is the same with other variables."""
    for sigma, after in itertools.pairwise(sigmas):
        x = x + (after - sigma) * (x - denoise(x, sigma)) / sigma
    return denoise(x, sigmas[-1])


def dpmpp_2m(x: torch.Tensor, sigmas: torch.Tensor, denoise: Denoise) -> torch.Tensor:
    """samplers/dpmpp_2m.cpp."""
    times = -torch.log(sigmas)
    old: torch.Tensor | None = None
    for i in range(len(sigmas) - 1):
        h = times[i + 1] - times[i]
        denoised = denoise(x, sigmas[i])
        slope = denoised
        if old is not None:
            slope = denoised + (denoised - old) * h / (2 * (times[i] - times[i - 1]))
        x = sigmas[i + 1] / sigmas[i] * x - torch.expm1(-h) * slope
        old = denoised
    return denoise(x, sigmas[-1])


class Data:
    """Values of all amplitudes [A, 1] from noise of all quantiles [1, Q], and where they lead."""

    def __init__(self) -> None:
        least, most, count = AMPLITUDES
        self.a = torch.exp(torch.linspace(math.log(least), math.log(most), count))[:, None]
        quantiles = torch.linspace(*QUANTILES)[None]
        self.start = FIRST * math.sqrt(2) * torch.erfinv(2 * quantiles - 1) + 0 * self.a
        sigmas = torch.exp(torch.linspace(math.log(FIRST), math.log(1e-3), SMALL_STEPS))
        x = self.start
        for sigma, after in itertools.pairwise(sigmas):  # Heun's method
            slope = (x - self.denoise(x, sigma)) / sigma
            there = x + (after - sigma) * slope
            x = x + (after - sigma) * (slope + (there - self.denoise(there, after)) / after) / 2
        self.end = x

    def denoise(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        spread, noise = (SPREAD * self.a) ** 2, sigma**2
        side = torch.tanh(self.a * x / (spread + noise))
        return (spread * x + noise * self.a * side) / (spread + noise)

    def error(self, loop: Loop, sigmas: torch.Tensor) -> torch.Tensor:
        return ((loop(self.start, sigmas, self.denoise) - self.end) ** 2 / self.a).mean()


def best_levels(loop: Loop, steps: int, data: Data) -> list[float]:
    """Of gradient descent from each of BEGINNINGS, the best that came by."""
    best, least = [], math.inf
    for last in BEGINNINGS:
        ends = FIRST ** (1 / 7), last ** (1 / 7)
        karras = (ends[0] + torch.linspace(0, 1, steps) * (ends[1] - ends[0])) ** 7
        logs = torch.log(torch.log(karras[:-1] / karras[1:])).requires_grad_()
        optimizer = torch.optim.Adam([logs], lr=0.02)
        for _ in range(ITERATIONS):
            sigmas = FIRST * torch.exp(-torch.cumsum(torch.exp(logs), 0))
            sigmas = torch.cat([torch.tensor([FIRST]), sigmas])
            error = data.error(loop, sigmas)
            if sigmas[-1] >= LEAST and error < least:
                best, least = sigmas.tolist(), error.item()
            optimizer.zero_grad()
            too_far = torch.relu(torch.log(LEAST / sigmas[-1]))
            (torch.log(error) + 10 * too_far).backward()
            torch.nn.utils.clip_grad_norm_([logs], 1.0)
            optimizer.step()
    return best


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    data = Data()
    lines = [
        "// Written by make_optimized_levels.py, which says how.",
        "//",
        "// LEVELS(sampler, sigmas...)   of as many steps as there are sigmas",
        "",
        "// clang-format off",
        "",
    ]
    for loop in (euler, dpmpp_2m):
        for steps in STEPS:
            levels = ", ".join(f"{sigma:.4g}" for sigma in best_levels(loop, steps, data))
            lines.append(f"LEVELS({loop.__name__}, {levels})")
    lines += ["", "// clang-format on", "", "#undef LEVELS", ""]
    Path(__file__).with_name("optimized_levels.def").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
