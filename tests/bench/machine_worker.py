"""Measures what the machine itself can do in torch, for bench.py: matmul and 3x3 convolution.

The best convolution is one with weights packed beforehand, channels last, at the sizes of the
UNet's own; it is the yardstick for a whole step.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from protocol import Answer, serve

MATRIX = 4096
# Channels in, channels out, side in latents: of the UNet at 512 px with both guided halves.
CONVOLUTIONS = ((384, 384, 64), (768, 768, 32), (1152, 1152, 16), (1536, 1536, 8), (3072, 1536, 8))
BATCH = 2
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
BUDGET_S = 0.25  # per shape
LEAST_RUNS = 3


def best_rate(run: Callable[[], object], flop: float) -> float:
    """FLOP/s of the fastest call within the budget."""
    run()
    best = float("inf")
    runs = 0
    begin = time.perf_counter()
    while runs < LEAST_RUNS or time.perf_counter() - begin < BUDGET_S:
        runs += 1
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return flop / best


def matmul(dtype: str) -> Answer:
    a = torch.randn(MATRIX, MATRIX).to(DTYPES[dtype])
    out = torch.empty_like(a)
    rate = best_rate(lambda: torch.mm(a, a, out=out), 2.0 * MATRIX**3)
    return {"rate": rate}


def convolution(dtype: str) -> Answer:
    """The best rate of all shapes, and each one's."""
    rates = {}
    for inputs, outputs, side in CONVOLUTIONS:
        x = torch.randn(BATCH, inputs, side, side).to(DTYPES[dtype])
        x = x.contiguous(memory_format=torch.channels_last)
        weight = torch.randn(outputs, inputs, 3, 3).to(DTYPES[dtype])
        weight = weight.contiguous(memory_format=torch.channels_last)
        bias = torch.randn(outputs).to(DTYPES[dtype])
        geometry = ([1, 1], [1, 1], [1, 1], 1)  # padding, stride, dilation, groups
        packed = torch.ops.mkldnn._reorder_convolution_weight(weight, *geometry, list(x.shape))
        arguments = (x, packed, bias, *geometry, "none", [], "")
        flop = 2.0 * BATCH * side**2 * inputs * outputs * 9

        def run(arguments: tuple[object, ...] = arguments) -> None:
            torch.ops.mkldnn._convolution_pointwise(*arguments)

        rates[f"{inputs}->{outputs} at {side}x{side}"] = best_rate(run, flop)
    return {"rate": max(rates.values()), "rates": rates}


def versions() -> Answer:
    return {"torch": torch.__version__}


if __name__ == "__main__":
    with torch.inference_mode():
        serve({"matmul": matmul, "convolution": convolution, "versions": versions})
