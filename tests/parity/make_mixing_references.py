"""Records what diffusers makes of images and mixes, for mixing_test.cpp.

Run in the reference environment (requirements.txt), fp32 on the CPU:

    P=.venv-references/bin/python
    $P tests/parity/make_mixing_references.py        # with the tiny models
    $P tests/parity/make_mixing_references.py --model demo/model/kandinsky-demo

Cases of the file are "image_*", what CLIP's image processor and tower make of one image, and
"mix_*", runs of KandinskyPriorPipeline.interpolate and images that KandinskyPipeline generates from
them with an empty prompt. A mix names its items in order: "item_1/prompt"
or "item_1/image", which is the name of an image's case. Transparent images are put on white
first, as the engine does; the reference would drop their alpha.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import diffusers
import make_references
import numpy as np
import PIL
import tiny_model
import torch
import transformers
from diffusers.pipelines.kandinsky.pipeline_kandinsky_prior import KandinskyPriorPipelineOutput
from make_references import Models, Record, generator, named, number, test_image, text
from PIL import Image
from safetensors.torch import save_file

SEED = 11
STEPS = 5
GUIDANCE = 4.0
SIDE = 64  # of the generated images, in pixels


@dataclass(frozen=True)
class ImageCase:
    """A case of another image: its size, and how many channels of it are kept."""

    width: int
    height: int
    channels: int = 3

    def pixels(self) -> np.ndarray:
        rgb = test_image(self.width, self.height)
        if self.channels == 1:
            return rgb[:, :, :1]
        if self.channels == 3:
            return rgb
        alpha = np.linspace(0, 255, self.width).round().astype(np.uint8)
        return np.dstack([rgb, np.broadcast_to(alpha, rgb.shape[:2])])


IMAGES = {
    "wide": ImageCase(90, 70),
    "tall": ImageCase(64, 112),
    "small": ImageCase(23, 17),
    "thin": ImageCase(4, 200),
    "large": ImageCase(301, 204),
    "grey": ImageCase(60, 48, channels=1),
    "transparent": ImageCase(64, 50, channels=4),
}


@dataclass(frozen=True)
class Mix:
    """Items are ("prompt", text) or ("image", case). With a prompt among them the reference's
    generator has run on when it comes to the negative, so that side is only recorded where it does
    not depend on noise.
    """

    items: tuple[tuple[str, str], ...]
    weights: tuple[float, ...]
    negative_prompt: str = ""
    negative_prior_prompt: str | None = None

    def has_negative(self) -> bool:
        is_zero = self.negative_prompt == "" and self.negative_prior_prompt is None
        return is_zero or all(kind == "image" for kind, _ in self.items)


CIRCLE = ("prompt", "a red circle on a white background")
WIDE = ("image", "wide")
TALL = ("image", "tall")
MIXES = {
    "text_image": Mix((CIRCLE, WIDE), (0.3, 0.7)),
    "image_text": Mix((WIDE, CIRCLE), (-0.5, 2.0)),
    "text_image_negative": Mix((CIRCLE, WIDE), (0.5, 0.5), negative_prior_prompt="bad"),
    "images": Mix((WIDE, TALL), (0.25, 0.75)),
    "images_negative": Mix((WIDE, TALL), (0.5, 0.5), negative_prompt="bad"),
    "images_prior_negative": Mix((WIDE, TALL), (1.0, 1.0), negative_prior_prompt="ugly"),
    "images_both_negatives": Mix(
        (WIDE, TALL), (2.0, -1.0), negative_prompt="bad", negative_prior_prompt="ugly"
    ),
    "three_images": Mix((WIDE, TALL, ("image", "large")), (0.2, 0.3, 0.5)),
    "variation": Mix((WIDE,), (1.0,)),
}


def opaque(pixels: np.ndarray) -> Image.Image:
    if pixels.shape[2] == 1:
        return Image.fromarray(pixels[:, :, 0])
    if pixels.shape[2] == 3:
        return Image.fromarray(pixels)
    colour, alpha = pixels[:, :, :3].astype(np.int64), pixels[:, :, 3:].astype(np.int64)
    on_white = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return Image.fromarray(on_white.astype(np.uint8))


def record_image(models: Models, image: ImageCase) -> Record:
    pixels = image.pixels()
    prior = models.prior
    pixel_values = prior.image_processor(opaque(pixels), return_tensors="pt").pixel_values
    return {
        "pixels": torch.from_numpy(pixels.copy()),
        "pixel_values": pixel_values,
        "image_embeds": prior.image_encoder(pixel_values).image_embeds,
    }


def record_mix(models: Models, mix: Mix) -> Record:
    items = [
        content if kind == "prompt" else opaque(IMAGES[content].pixels())
        for kind, content in mix.items
    ]
    output = models.prior.interpolate(
        items,
        list(mix.weights),
        num_inference_steps=STEPS,
        generator=generator(SEED),
        negative_prior_prompt=mix.negative_prior_prompt,
        negative_prompt=mix.negative_prompt,
        guidance_scale=GUIDANCE,
    )
    record = {
        "seed": number(SEED),
        "prior_num_inference_steps": number(STEPS),
        "prior_guidance_scale": number(GUIDANCE),
        "weights": torch.tensor(mix.weights, dtype=torch.float64),
        "negative_prompt": text(mix.negative_prompt),
        "image_embeds": output.image_embeds,
    }
    if mix.negative_prior_prompt is not None:
        record["negative_prior_prompt"] = text(mix.negative_prior_prompt)
    if mix.has_negative():
        record["negative_image_embeds"] = output.negative_image_embeds
        record["generated"] = generate(models, output)
    for number_of_item, (kind, content) in enumerate(mix.items, start=1):
        record[f"item_{number_of_item}/{kind}"] = text(content)
    return record


def generate(models: Models, embeds: KandinskyPriorPipelineOutput) -> torch.Tensor:
    """uint8 [SIDE, SIDE, 3], from a fresh generator of the seed."""
    images = models.decoder(
        prompt="",
        image_embeds=embeds.image_embeds,
        negative_image_embeds=embeds.negative_image_embeds,
        width=SIDE,
        height=SIDE,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        generator=generator(SEED),
    ).images
    return torch.from_numpy(np.array(images[0]))


def save(path: Path, record: Record) -> None:
    origin = {
        "recorded_by": "tests/parity/make_mixing_references.py",
        "weights": path.name.split(".")[1],
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "pillow": PIL.__version__,
    }
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in record.items()}
    # In one entry: the writer orders entries at random, and equal records shall be equal files.
    save_file(tensors, path, metadata={"origin": json.dumps(origin)})
    path.chmod(0o644)
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


def record_all(model: Path) -> None:
    prior = model.with_name(f"{model.name}-prior")
    models = Models(model, prior)
    record: Record = {}
    for case, image in IMAGES.items():
        record |= named(f"image_{case}", record_image(models, image))
    for case, mix in MIXES.items():
        record |= named(f"mix_{case}", record_mix(models, mix))
    save(make_references.REFERENCES / f"mixing.{prior.name}.safetensors", record)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description="Records images and mixes.")
    parser.add_argument("--model", type=Path, help="record this model instead of the tiny one")
    model: Path | None = parser.parse_args().model
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if model is not None:
        record_all(model)
        return
    with tempfile.TemporaryDirectory() as folder:
        if tiny_model.main([folder]) != 0:
            raise SystemExit(1)
        record_all(Path(folder) / "tiny-2-1")


if __name__ == "__main__":
    main()
