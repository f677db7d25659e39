"""Models, components and LoRA files that a check gives to the host, and takes away again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from checking import Context
from PIL import Image
from support import built, checkpoints

UNET = "other-unet.safetensors"
LORA = "red-and-blue"
DEPTH_MODEL = built.DEPTH_2_2
ZERO_IMAGE = "zero_image_embeds"
"""In the name of the file that stands for an image encoder, where only the zero image is seen."""
_PROJECTIONS = re.compile(r"\.to_(q|k|v|out\.0)\.weight$")


@contextmanager
def place(context: Context, name: str, folder: str = "Kandinsky") -> Iterator[Path]:
    """One below the host's models/Kandinsky, or another folder for models; what the check puts
    there is gone afterwards.
    """
    target = context.place / "data" / "models" / folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield target
    finally:
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)


@contextmanager
def depth_model(context: Context, *, can_see: bool = True) -> Iterator[Path]:
    """The tiny model with depth control, and the prior that it needs; can_see: with its image
    encoder.
    """
    with place(context, DEPTH_MODEL) as target, place(context, built.PRIOR_2_2) as prior:
        made = context.place / "made"
        if not made.exists():
            built.make_kandinsky_2_2(made)
        # The prior first: without it a model cannot be opened.
        shutil.copytree(made / built.PRIOR_2_2, prior)
        if not can_see:
            (prior / "image_encoder" / "model.safetensors").unlink()
        shutil.copytree(made / DEPTH_MODEL, target)
        yield target


@contextmanager
def other_unet(context: Context) -> Iterator[Path]:
    """The demo model's UNet with its last layer at half strength."""
    with place(context, f"unet/{UNET}") as file:
        tensors = checkpoints.load(context.model / built.UNET_WEIGHTS)
        for name in ("conv_out.weight", "conv_out.bias"):
            tensors[name] = tensors[name] * 0.5
        checkpoints.save_safetensors(file, tensors, {})
        yield file


@contextmanager
def lora(context: Context, *, hosts: bool = False) -> Iterator[Path]:
    """A LoRA for the demo model's UNet; hosts: where the host looks for such files, too."""
    folder = "Lora" if hosts else "Kandinsky/lora"
    with place(context, f"{LORA}.safetensors", folder) as file:
        random = torch.Generator().manual_seed(7)
        tensors = {}
        for name, weight in checkpoints.load(context.model / built.UNET_WEIGHTS).items():
            if _PROJECTIONS.search(name):
                base = name.removesuffix(".weight")
                down = torch.randn(4, weight.shape[1], generator=random)
                up = torch.randn(weight.shape[0], 4, generator=random) * 0.2
                tensors[f"{base}.lora_A.weight"] = down
                tensors[f"{base}.lora_B.weight"] = up
        checkpoints.save_safetensors(file, tensors, {})
        yield file


def depth_map(context: Context, size: int, *, falling: bool = False) -> Path:
    """A map that gets nearer from left to right, or farther."""
    row = np.linspace(255 * falling, 255 * (not falling), size).astype(np.uint8)
    file = context.place / f"depth-{falling}.png"
    Image.fromarray(np.broadcast_to(row[None, :, None], (size, size, 3)).copy()).save(file)
    return file
