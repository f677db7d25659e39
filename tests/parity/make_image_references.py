"""Records what diffusers makes of images: image to image, inpainting, and generation with DDPM.

Run in the reference environment, like make_references.py, whose file format it shares:

    P=.venv-references/bin/python
    $P tests/parity/make_image_references.py                     # with the tiny models
    $P tests/parity/make_image_references.py --only inpaint      # one of them
    $P tests/parity/make_image_references.py --model demo/model/kandinsky-demo

Images have the size that is generated, so no resizing takes part. Sides are equal and multiples of
64, the only ones with which the reference's image to image works. Of an inpainting mask the record
holds what the network saw, after the reference's own resizing and widening.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import diffusers.pipelines.kandinsky.pipeline_kandinsky_inpaint as inpaint_module
import numpy as np
import numpy.typing as npt
import torch
from diffusers import (
    DDPMScheduler,
    KandinskyImg2ImgPipeline,
    KandinskyInpaintPipeline,
    UNet2DConditionModel,
)
from make_references import (
    REFERENCES,
    Generation,
    Models,
    Record,
    generator,
    named,
    number,
    parameters,
    run_prior,
    save,
    test_image,
    text,
    tiny_model,
)
from PIL import Image

Mask = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ImageGeneration(Generation):
    """One run from an image. The strength is image to image's, the mask inpainting's."""

    prior_num_inference_steps: int = 2
    sampler: str = "DDIM"
    strength: float = 0.75
    mask: str = "box"


BASE = ImageGeneration()
IMAGE_TO_IMAGE = {
    "strength_0.3": replace(BASE, num_inference_steps=10, strength=0.3),
    "strength_0.5": replace(BASE, strength=0.5),
    "strength_0.75": BASE,
    "strength_1": replace(BASE, strength=1.0),
    "truncated_steps": replace(BASE, num_inference_steps=100, strength=0.07, seed=3),
    "least_strength": replace(BASE, num_inference_steps=500, strength=0.002),
    "one_step": replace(BASE, num_inference_steps=1, strength=1.0),
    "large": replace(BASE, width=128, height=128, strength=0.5, seed=1),
    "negative": replace(BASE, negative_prompt="bad", seed=2),
    "guidance_1": replace(BASE, guidance_scale=1.0),
    "ddpm": replace(BASE, sampler="DDPM", num_inference_steps=8, strength=0.5),
    "ddpm_negative": replace(
        BASE, sampler="DDPM", num_inference_steps=5, negative_prompt="bad", seed=5
    ),
}
INPAINT = {
    "box": BASE,
    "box_seed_1": replace(BASE, seed=1),
    "all": replace(BASE, mask="all"),
    "pattern": replace(BASE, mask="pattern"),
    "large": replace(BASE, width=128, height=128, seed=4),
    "negative": replace(BASE, negative_prompt="bad", seed=2),
    "guidance_1": replace(BASE, guidance_scale=1.0),
    "steps_1": replace(BASE, num_inference_steps=1),
    "steps_20": replace(BASE, num_inference_steps=20, mask="pattern"),
}
DDPM = {
    "seed_0": replace(BASE, sampler="DDPM"),
    "seed_1": replace(BASE, sampler="DDPM", seed=1),
    "steps_1": replace(BASE, sampler="DDPM", num_inference_steps=1),
    "steps_25": replace(BASE, sampler="DDPM", num_inference_steps=25),
    "steps_64": replace(BASE, sampler="DDPM", num_inference_steps=64),
    "wide": replace(BASE, sampler="DDPM", width=128),
    "negative": replace(BASE, sampler="DDPM", negative_prompt="bad", seed=2),
    "guidance_1": replace(BASE, sampler="DDPM", guidance_scale=1.0),
}
DEMO_BASE = replace(
    BASE,
    prompt="a red circle on a white background",
    width=128,
    height=128,
    num_inference_steps=20,
    prior_num_inference_steps=25,
    seed=1,
)
DEMO_IMAGE_TO_IMAGE = {
    # Seeds 1 and 3 are ill-conditioned: rounding of the start grows some hundredfold on the way.
    "half": replace(DEMO_BASE, strength=0.5, seed=4),
    "russian": replace(DEMO_BASE, prompt="синий квадрат на белом фоне", strength=0.75, seed=2),
    "ddpm": replace(DEMO_BASE, sampler="DDPM", strength=0.6, negative_prompt="red circle"),
}
DEMO_INPAINT = {
    "box": DEMO_BASE,
    "russian_pattern": replace(DEMO_BASE, prompt="жёлтая звезда", mask="pattern", seed=2),
}
DEMO_DDPM = {"red_circle": replace(DEMO_BASE, sampler="DDPM")}


def make_mask(generation: ImageGeneration) -> Mask:
    """[height, width], 1 where to inpaint."""
    mask = np.zeros((generation.height, generation.width), dtype=np.float32)
    if generation.mask == "all":
        mask[:] = 1
    elif generation.mask == "box":
        mask[16 : generation.height // 2, 8 : generation.width // 2 + 8] = 1
    else:  # single latents, some of them neighbours, which the reference widens
        for row, column in ((1, 1), (1, 6), (4, 3), (5, 4), (6, 6)):
            mask[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1
    return mask


def image_parameters(generation: ImageGeneration) -> Record:
    return parameters(generation) | {
        "sampler": text(generation.sampler),
        "strength": number(generation.strength),
    }


def text_embeds(models: Models, generation: Generation) -> Record:
    record: Record = {}
    for side, prompt in {
        "": generation.prompt,
        "negative_": generation.negative_prompt or "",
    }.items():
        ids, mask = models.xlmr_tokens(prompt)
        prompt_embeds, hidden = models.decoder.text_encoder(input_ids=ids, attention_mask=mask)
        record[f"{side}prompt_embeds"] = prompt_embeds
        record[f"{side}text_encoder_hidden_states"] = hidden
    return record


def run(
    models: Models,
    pipeline: Callable[..., object],
    generation: ImageGeneration,
    **inputs: object,
) -> Record:
    """One run from a fresh generator of the seed."""
    image_embeds, negative_image_embeds, prior_outputs = run_prior(models, generation)
    trajectory: list[torch.Tensor] = []

    def keep(_step: int, _timestep: int, latents: torch.Tensor) -> None:
        trajectory.append(latents.clone())

    images = pipeline(
        prompt=generation.prompt,
        image_embeds=image_embeds,
        negative_image_embeds=negative_image_embeds,
        negative_prompt=generation.negative_prompt,
        width=generation.width,
        height=generation.height,
        num_inference_steps=generation.num_inference_steps,
        guidance_scale=generation.guidance_scale,
        generator=generator(generation.seed),
        output_type="pil",
        callback=keep,
        **inputs,
    ).images
    del prior_outputs["noise"]
    return (
        image_parameters(generation)
        | prior_outputs
        | text_embeds(models, generation)
        | {
            "latents_first": trajectory[0],
            "latents": trajectory[-1],
            "image": torch.from_numpy(np.array(images[0])),
        }
    )


def scheduler(models: Models, generation: ImageGeneration) -> object:
    if generation.sampler == "DDIM":
        return models.decoder.scheduler
    return DDPMScheduler.from_pretrained(models.model_folder / "ddpm_scheduler")


def source(models: Models, generation: ImageGeneration) -> tuple[Image.Image, Record]:
    """The image that a run starts from, and its latents."""
    image = test_image(generation.width, generation.height)
    pixels = torch.from_numpy(image).float().permute(2, 0, 1)[None] / 127.5 - 1
    return Image.fromarray(image), {
        "source": torch.from_numpy(image),
        "init_latents": models.decoder.movq.encode(pixels).latents,
    }


def image_to_image(models: Models, generations: dict[str, ImageGeneration]) -> Record:
    record: Record = {}
    for case, generation in generations.items():
        pipeline = KandinskyImg2ImgPipeline(
            **models.decoder.components | {"scheduler": scheduler(models, generation)}
        )
        pipeline.set_progress_bar_config(disable=True)
        image, inputs = source(models, generation)
        outputs = run(models, pipeline, generation, image=image, strength=generation.strength)
        record |= named(case, inputs | outputs)
    return record


def inpaint(models: Models, generations: dict[str, ImageGeneration]) -> Record:
    """`mask` is 1 where the network inpaints, at the latents' size."""
    record: Record = {}
    folder = models.model_folder.with_name(models.model_folder.name + "-inpaint")
    nine_channels = UNet2DConditionModel.from_pretrained(folder / "unet").eval()
    pipeline = KandinskyInpaintPipeline(**models.decoder.components | {"unet": nine_channels})
    pipeline.set_progress_bar_config(disable=True)
    original = inpaint_module.prepare_mask
    for case, generation in generations.items():
        kept: list[torch.Tensor] = []

        def prepare(mask: torch.Tensor, kept: list[torch.Tensor] = kept) -> torch.Tensor:
            kept.append(original(mask))
            return kept[-1]

        image, inputs = source(models, generation)
        with mock.patch.object(inpaint_module, "prepare_mask", prepare):
            outputs = run(
                models, pipeline, generation, image=image, mask_image=make_mask(generation)
            )
        record |= named(case, inputs | outputs | {"mask": 1 - kept[0]})
    return record


def ddpm(models: Models, generations: dict[str, ImageGeneration]) -> Record:
    """Text to image with the scheduler that draws noise in every step."""
    record: Record = {}
    ddim = models.decoder.scheduler
    for case, generation in generations.items():
        models.decoder.scheduler = scheduler(models, generation)
        record |= named(case, run(models, models.decoder, generation))
        models.decoder.scheduler = ddim
    return record


@dataclass(frozen=True)
class Stage:
    record: Callable[[Models, dict[str, ImageGeneration]], Record]
    suffix: str  # of the folder whose weights it is about
    tiny: dict[str, ImageGeneration]
    demo: dict[str, ImageGeneration]


STAGES = {
    "image_to_image": Stage(image_to_image, "", IMAGE_TO_IMAGE, DEMO_IMAGE_TO_IMAGE),
    "inpaint": Stage(inpaint, "-inpaint", INPAINT, DEMO_INPAINT),
    "text_to_image_ddpm": Stage(ddpm, "", DDPM, DEMO_DDPM),
}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description="Records what diffusers makes of images.")
    parser.add_argument("--only", nargs="+", choices=STAGES, help="what to record; default: all")
    parser.add_argument("--model", type=Path, help="record this model instead of the tiny one")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # one order of summation; also the fastest for models this small

    with tempfile.TemporaryDirectory() as folder:
        model = options.model or Path(folder) / "tiny-2-1"
        if not options.model and tiny_model.main([folder]) != 0:
            raise SystemExit(1)
        models = Models(model, model.with_name(model.name + "-prior"))
        for name in options.only or STAGES:
            stage = STAGES[name]
            weights = model.name + stage.suffix
            record = stage.record(models, stage.demo if options.model else stage.tiny)
            path = REFERENCES / f"{name}.{weights}.safetensors"
            save(path, record, weights, Path(__file__).name)


if __name__ == "__main__":
    main()
