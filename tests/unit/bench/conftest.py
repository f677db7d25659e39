"""Lets the tests import the modules of tests/bench."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/bench"))

from samples import Measurements, Part, Result  # noqa: E402  the folder above


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def found() -> Measurements:
    """What a run on a machine could have measured: round numbers."""
    measured = Measurements(
        machine={
            "cpu": "Some CPU",
            "family": "25/17",
            "cores": 2,
            "flags": ["avx2", "avx512f", "avx512_bf16"],
            "memory_gb": 24.0,
            "system": "Linux x86_64",
        },
        model="random weights of full size",
        rates={"matmul bf16": 400e9, "convolution bf16": 500e9},
        versions={
            "engine": {"kandinsky_engine": "9.8.7", "precision": "bf16", "reason": "it is faster"},
            "diffusers": {"diffusers": "0.35.2", "torch": "2.13.0"},
        },
    )

    def add(name: str, size: int = 0, unit: str = "s", **seconds: Result) -> Part:
        part = Part(name, f"title of {name}", unit, size, date="2026-01-02", results=seconds)
        measured.parts[name] = part
        return part

    add("text", engine=Result([0.1]), diffusers=Result([0.7]), tuned=Result([0.5]))
    add(
        "prior",
        engine=Result([2.0, 1.0, 3.0]),
        diffusers=Result([2.0], 25),
        tuned=Result([1.0], 25),
    )
    add("unet-512", 512, engine=Result([4.0]), diffusers=Result([10.0]), tuned=Result([5.0]))
    add("unet-1024", 1024, engine=Result([20.0]))
    add("decode-512", 512, engine=Result([3.0]), diffusers=Result([12.0]), tuned=Result([6.0]))
    add("decode-1024", 1024, engine=Result([15.0]))
    add("image", 512, engine=Result([50.0]))
    add("memory", 512, "GB", engine=Result([7.0]), diffusers=Result([14.0]))
    measured.parts["unet-512"].flop = 1.6e12
    measured.parts["unet-512"].rate = 500e9
    for batch, seconds in ((1, 4.0), (2, 7.5), (4, 15.0)):
        part = add(f"batch-{batch}", 512, engine=Result([seconds]))
        part.batch = batch
    return measured
