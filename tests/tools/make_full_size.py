"""Writes Kandinsky folders of full size with random weights, to measure speed and memory.

Fp16 safetensors in diffusers' folder layout, of a family's decoder and prior (2.1: 6.6 GB, 2.2:
9.8 GB). Other decoders of the family, for inpainting or with depth maps, take 2.5 GB more each;
what they share with the first one is linked.

    python tests/tools/make_full_size.py build/full-size
    python tests/tools/make_full_size.py build/full-size --family 2.2 --depth

Names, shapes, configurations and scales are those of tests/support (configs/, tiny_model.py), so
activations keep a size of about 1 through the whole depth and fp32 can be compared with bf16. The
tokenizers are those of the tiny models: their tokens are a part of the full vocabulary. Each
tensor is one fixed block of bell-shaped numbers, repeated from an offset drawn from its name: the
same bytes everywhere, as fast as the disk takes them. A file that is complete is left as it is.
Needs numpy only.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import tiny_model  # noqa: E402  the folder beside this one is no package


@dataclass(frozen=True)
class Family:
    """The folders of a family."""

    decoder: str
    prior: str
    inpaint: str
    shared: tuple[str, ...]  # components that all decoders have in common
    depth: str = ""


FAMILIES = {
    "2.1": Family(
        "kandinsky-2-1",
        "kandinsky-2-1-prior",
        "kandinsky-2-1-inpaint",
        ("text_encoder", "movq"),
    ),
    "2.2": Family(
        "kandinsky-2-2-decoder",
        "kandinsky-2-2-prior",
        "kandinsky-2-2-decoder-inpaint",
        ("movq",),
        "kandinsky-2-2-controlnet-depth",
    ),
}
MADE_BY = "kandinsky-full-size-1"  # in every header: files of another recipe are written again
BLOCK = 4_194_301  # a prime, so that no row of a matrix starts where another one did
BYTES_PER_VALUE = 2
MARGIN = 1 << 28  # what is to stay free on the disk


class FullSizeError(Exception):
    """The folders cannot be written."""


Shape = tuple[int, ...]


def header_of(tensors: list[tuple[str, Shape]]) -> bytes:
    """The beginning of a safetensors file that holds these tensors as fp16, one after the other."""
    header: dict[str, object] = {"__metadata__": {"format": "pt", "made_by": MADE_BY}}
    end = 0
    for name, shape in tensors:
        first, end = end, end + math.prod(shape) * BYTES_PER_VALUE
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [first, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def values_of(
    full_name: str, shape: Shape, block: npt.NDArray[np.float32]
) -> Iterator[npt.NDArray[np.float16]]:
    """The values of the tensor "model/component/name", flat and in pieces."""
    mean, std = tiny_model.spread_of(full_name, shape)
    left = math.prod(shape)
    offset = tiny_model.seed_of(full_name) % len(block)
    scaled = np.roll(block, -offset)[:left] * np.float32(std) + np.float32(mean)
    stored = scaled.astype("<f2")
    while left > 0:
        yield stored[:left]
        left -= len(stored)


class WeightFile:
    """One component's weights: where they go and what they hold."""

    def __init__(self, output: Path, model: str, component: str) -> None:
        self.scope = f"{model}/{component}"
        self.path = output / self.scope / f"{tiny_model.weights_stem(component)}.safetensors"
        self.tensors = list(tiny_model.tensor_list(model, component))
        self.header = header_of(self.tensors)
        count = sum(math.prod(shape) for _, shape in self.tensors)
        self.size = len(self.header) + count * BYTES_PER_VALUE

    def is_complete(self) -> bool:
        """True if the file is this one already. Files get their name when they are complete."""
        if not self.path.is_file() or self.path.stat().st_size != self.size:
            return False
        with self.path.open("rb") as file:
            return file.read(len(self.header)) == self.header

    def write(self, block: npt.NDArray[np.float32]) -> None:
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(self.header)
            for name, shape in self.tensors:
                for piece in values_of(f"{self.scope}/{name}", shape, block):
                    file.write(piece.data)
        partial.replace(self.path)


def link_shared(output: Path, family: Family, model: str) -> None:
    """Gives another decoder the components that it has in common with the family's first one."""
    for component in family.shared:
        source = WeightFile(output, family.decoder, component).path
        target = output / model / component / source.name
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:  # no links on this disk
            shutil.copyfile(source, target)


def make_full_size(
    output: Path, family: Family, *, inpaint: bool = False, depth: bool = False
) -> list[Path]:
    """Writes what is missing below `output`; returns the model folders."""
    if depth and not family.depth:
        raise FullSizeError("--depth: the family has no decoder with depth maps")
    others = [*([family.inpaint] if inpaint else []), *([family.depth] if depth else [])]
    models = [family.decoder, family.prior, *others]
    for model in models:
        tiny_model.write_settings(output / model, model)
    files = [
        WeightFile(output, model, component)
        for model in models
        for component in tiny_model.components(model)
        if model not in others or component not in family.shared
    ]
    missing = [file for file in files if not file.is_complete()]
    needed = sum(file.size for file in missing)
    free = shutil.disk_usage(output).free
    if missing:
        print(f"{output}: {needed / 1e9:.1f} GB to write, {free / 1e9:.1f} GB are free", flush=True)
    if needed and needed + MARGIN > free:
        raise FullSizeError(
            f"{output} needs {(needed + MARGIN) / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        )
    if missing:
        block = tiny_model.bell(tiny_model.seed_of(MADE_BY), BLOCK).astype(np.float32)
    for file in missing:
        start = time.monotonic()
        file.write(block)
        seconds = time.monotonic() - start
        print(f"{file.path}: {file.size / 1e9:.2f} GB in {seconds:.0f} s", flush=True)
    for model in others:
        link_shared(output, family, model)
    return [output / model for model in models]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Writes full-size Kandinsky folders with random weights."
    )
    parser.add_argument("output", type=Path, help="folder that receives one folder per model")
    parser.add_argument("--family", choices=FAMILIES, default="2.1", help="default: 2.1")
    parser.add_argument("--inpaint", action="store_true", help="write the inpainting decoder too")
    parser.add_argument("--depth", action="store_true", help="and 2.2's decoder with depth maps")
    options = parser.parse_args(arguments)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        folders = make_full_size(
            options.output,
            FAMILIES[options.family],
            inpaint=options.inpaint,
            depth=options.depth,
        )
    except (FullSizeError, OSError) as error:
        print(f"make_full_size: {error}", file=sys.stderr)
        return 1
    print("complete:", *folders)
    return 0


if __name__ == "__main__":
    sys.exit(main())
