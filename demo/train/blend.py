"""Makes a model of two that were trained from one another: the mean of their weights.

    .venv-demo/bin/python demo/train/blend.py demo/model trained blended --share 0.75

Such a mean is often better than either end. Everything but the weights of UNets and text towers is
the second model's.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

UNET, INPAINT_UNET = (
    f"{model}/unet/diffusion_pytorch_model.safetensors"
    for model in ("kandinsky-demo", "kandinsky-demo-inpaint")
)
TEXT_ENCODERS = tuple(
    f"{model}/text_encoder/model.safetensors"
    for model in ("kandinsky-demo", "kandinsky-demo-inpaint")
)


def blend(first: Path, second: Path, output: Path, share: float) -> None:
    """Writes the mean of two weight files; share: of the second. Types are the second's."""
    one, other = load_file(first), load_file(second)
    if one.keys() != other.keys():
        raise ValueError(f"{first} and {second} do not hold the same tensors")
    mean = {
        name: one[name].float().lerp(value.float(), share).to(value.dtype)
        for name, value in other.items()
    }
    save_file(mean, output, metadata={"format": "pt"})


def blend_models(
    first: Path, second: Path, output: Path, share: float, inpaint_share: float
) -> None:
    """The same for folders that hold all models. The inpainting UNet has a share of its own."""
    shutil.copytree(second, output)
    for path in (UNET, *TEXT_ENCODERS):
        blend(first / path, second / path, output / path, share)
    blend(first / INPAINT_UNET, second / INPAINT_UNET, output / INPAINT_UNET, inpaint_share)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("output", type=Path, help="a folder that is not there yet")
    parser.add_argument("--share", type=float, default=0.75, help="of the second model")
    parser.add_argument("--inpaint-share", type=float, default=0.55)
    given = parser.parse_args()
    blend_models(given.first, given.second, given.output, given.share, given.inpaint_share)
