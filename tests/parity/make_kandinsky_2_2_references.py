"""Records what diffusers computes with Kandinsky 2.2, for kandinsky_2_2_test.cpp.

Run in the reference environment, like make_references.py, whose file format it shares:

    .venv-references/bin/python tests/parity/make_kandinsky_2_2_references.py

What the family shares with 2.1 is compared there. Images to start from, masks and hints have the
size that is generated, so no resizing takes part; those of image to image are square, since the
reference swaps their sides.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import diffusers.pipelines.kandinsky2_2.pipeline_kandinsky2_2_inpainting as inpaint_module
import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    KandinskyV22ControlnetImg2ImgPipeline,
    KandinskyV22ControlnetPipeline,
    KandinskyV22Img2ImgPipeline,
    KandinskyV22InpaintPipeline,
    KandinskyV22Pipeline,
    KandinskyV22PriorEmb2EmbPipeline,
    KandinskyV22PriorPipeline,
)
from make_image_references import ImageGeneration, image_parameters, make_mask
from make_references import (
    ENCODED,
    INPUT_SEED,
    PROMPTS,
    REFERENCES,
    Record,
    generator,
    named,
    number,
    save,
    test_image,
    text,
    tiny_model,
)
from PIL import Image

Pipeline = Callable[..., object]


@dataclass(frozen=True)
class Run(ImageGeneration):
    """A run of any of the decoders."""

    sampler: str = "DDPM"
    pipeline: str = "text"  # or image, inpaint, hint, hint_image


BASE = Run()
RUNS = {
    "text": BASE,
    "text_wide": replace(BASE, width=128, seed=1),
    "text_steps_25": replace(BASE, num_inference_steps=25, seed=2),
    "text_step_1": replace(BASE, num_inference_steps=1),
    "text_negative": replace(BASE, negative_prompt="bad", seed=3),
    "text_negative_empty": replace(BASE, negative_prompt="", seed=4),
    "text_guidance_1": replace(BASE, guidance_scale=1.0),
    "text_ddim": replace(BASE, sampler="DDIM", seed=6),
    "text_prior_steps": replace(BASE, prior_num_inference_steps=25, prior_guidance_scale=1.0),
    "image": replace(BASE, pipeline="image"),
    "image_weak": replace(BASE, pipeline="image", num_inference_steps=10, strength=0.3, seed=1),
    "image_whole": replace(BASE, pipeline="image", strength=1.0, seed=2),
    "image_ddim": replace(BASE, pipeline="image", sampler="DDIM", negative_prompt="bad"),
    "inpaint": replace(BASE, pipeline="inpaint"),
    "inpaint_pattern": replace(
        BASE, pipeline="inpaint", mask="pattern", num_inference_steps=20, seed=1
    ),
    "inpaint_all": replace(BASE, pipeline="inpaint", mask="all", negative_prompt="bad"),
    "inpaint_ddim": replace(BASE, pipeline="inpaint", sampler="DDIM", guidance_scale=1.0),
    "hint": replace(BASE, pipeline="hint"),
    "hint_wide": replace(BASE, pipeline="hint", width=128, negative_prompt="bad", seed=1),
    "hint_image": replace(BASE, pipeline="hint_image", strength=0.5, seed=2),
}


class Models:
    """The pipelines of the four folders."""

    def __init__(self, folder: Path) -> None:
        def load(kind: type, name: str) -> Pipeline:
            pipeline = kind.from_pretrained(folder / name, torch_dtype=torch.float32)
            pipeline.set_progress_bar_config(disable=True)
            return pipeline

        depth = "tiny-2-2-controlnet-depth"
        self.prior = load(KandinskyV22PriorPipeline, "tiny-2-2-prior")
        self.emb2emb = load(KandinskyV22PriorEmb2EmbPipeline, "tiny-2-2-prior")
        self.decoders = {
            "text": load(KandinskyV22Pipeline, "tiny-2-2-decoder"),
            "image": load(KandinskyV22Img2ImgPipeline, "tiny-2-2-decoder"),
            "inpaint": load(KandinskyV22InpaintPipeline, "tiny-2-2-decoder-inpaint"),
            "hint": load(KandinskyV22ControlnetPipeline, depth),
            "hint_image": load(KandinskyV22ControlnetImg2ImgPipeline, depth),
        }


def encoders(models: Models) -> Record:
    tokens = models.prior.tokenizer(
        [PROMPTS[case] for case in ENCODED],
        padding="max_length",
        max_length=77,
        truncation=True,
        return_tensors="pt",
    )
    output = models.prior.text_encoder(tokens.input_ids)
    image = test_image(90, 70)
    pixels = models.prior.image_processor(Image.fromarray(image), return_tensors="pt").pixel_values
    encoder = models.prior.image_encoder
    return {
        "text/ids": tokens.input_ids,
        "text/text_embeds": output.text_embeds,
        "text/last_hidden_state": output.last_hidden_state,
        "image/pixels": torch.from_numpy(image),
        "image/image_embeds": encoder(pixels).image_embeds,
        "zero/image_embeds": encoder(torch.zeros_like(pixels)).image_embeds,
    }


def unet(models: Models) -> Record:
    """One forward of each kind; of the third also what the hint network makes of an image."""
    record: Record = {}
    draw = generator(INPUT_SEED)
    sizes = {"text": (2, 8, 8, 401), "inpaint": (1, 8, 16, 1), "hint": (1, 16, 8, 981)}
    for case, (rows, h, w, timestep) in sizes.items():
        network = models.decoders[case].unet
        conditions = {"image_embeds": torch.randn(rows, 20, generator=draw)}
        channels = 4 if case == "hint" else network.config.in_channels
        sample = torch.randn(rows, channels, h, w, generator=draw)
        inputs: Record = {"timestep": number(float(timestep)), "sample": sample} | conditions
        if case == "hint":
            image = test_image(8 * w, 8 * h)
            conditions["hint"] = torch.from_numpy(image).permute(2, 0, 1)[None] / 255.0
            inputs["image"] = torch.from_numpy(image)
            inputs["hint_channels"] = network.add_embedding.input_hint_block(conditions["hint"])
        output = network(
            sample=sample,
            timestep=torch.tensor(timestep),
            encoder_hidden_states=None,
            added_cond_kwargs=conditions,
        ).sample
        record |= named(case, inputs | {"output": output})
    return record


def run_decoder(models: Models, run: Run) -> Record:
    """Prior and decoder, each from a fresh generator of the seed."""
    embeds = models.prior(
        run.prompt,
        negative_prompt=run.negative_prompt,
        num_inference_steps=run.prior_num_inference_steps,
        guidance_scale=run.prior_guidance_scale,
        generator=generator(run.seed),
    )
    pipeline = models.decoders[run.pipeline]
    own = pipeline.scheduler
    if run.sampler == "DDIM":
        pipeline.scheduler = DDIMScheduler.from_config(own.config)
    image = test_image(run.width, run.height)
    pixels = torch.from_numpy(image).float().permute(2, 0, 1)[None] / 127.5 - 1
    inputs: dict[str, object] = {}
    record: Record = {}
    if run.pipeline in ("image", "inpaint", "hint_image"):
        inputs["image"] = Image.fromarray(image)
        record["source"] = torch.from_numpy(image)
        record["init_latents"] = pipeline.movq.encode(pixels).latents
    if run.pipeline in ("image", "hint_image"):
        inputs["strength"] = run.strength
    if run.pipeline in ("hint", "hint_image"):
        hint = image[::-1, ::-1].copy()
        inputs["hint"] = torch.from_numpy(hint).permute(2, 0, 1)[None] / 255.0
        record["hint"] = torch.from_numpy(hint)
    if run.pipeline == "inpaint":
        inputs["mask_image"] = make_mask(run)
    trajectory: list[torch.Tensor] = []
    kept: list[torch.Tensor] = []
    prepare_mask = inpaint_module.prepare_mask

    def prepare(mask: torch.Tensor) -> torch.Tensor:
        kept.append(prepare_mask(mask))
        return kept[-1]

    def keep(_step: int, _timestep: int, latents: torch.Tensor) -> None:
        trajectory.append(latents.clone())

    with mock.patch.object(inpaint_module, "prepare_mask", prepare):
        images = pipeline(
            image_embeds=embeds.image_embeds,
            negative_image_embeds=embeds.negative_image_embeds,
            width=run.width,
            height=run.height,
            num_inference_steps=run.num_inference_steps,
            guidance_scale=run.guidance_scale,
            generator=generator(run.seed),
            output_type="pil",
            callback=keep,
            callback_steps=1,
            **inputs,
        ).images
    pipeline.scheduler = own
    if kept:
        record["mask"] = 1 - kept[0]
    return (
        image_parameters(run)
        | record
        | {
            "pipeline": text(run.pipeline),
            "image_embeds": embeds.image_embeds,
            "negative_image_embeds": embeds.negative_image_embeds,
            "latents": trajectory[-1],
            "image": torch.from_numpy(np.array(images[0])),
        }
    )


def images(models: Models) -> Record:
    record: Record = {}
    for case, run in RUNS.items():
        record |= named(case, run_decoder(models, run))
    check_that_bounds_show(models, record["text/latents"])
    return record


def check_that_bounds_show(models: Models, latents: torch.Tensor) -> None:
    """A run whose clean latents pass 1 differs from one that does not bound them."""
    pipeline = models.decoders["text"]
    own = pipeline.scheduler
    pipeline.scheduler = DDPMScheduler.from_config(own.config, clip_sample=False)
    unbounded = run_decoder(models, BASE)["latents"]
    pipeline.scheduler = own
    if float((unbounded - latents).abs().max()) < 0.1:
        raise ValueError("no clean latents pass 1")


def emb2emb(models: Models) -> Record:
    """From an image and a text to an embedding; and mixes."""
    record: Record = {}
    image = test_image(90, 70)
    cases = {
        "weak": (0.3, None, 25),
        "strong": (0.85, "bad", 10),
        "whole": (1.0, "", 5),
    }
    for case, (strength, negative, steps) in cases.items():
        output = models.emb2emb(
            PROMPTS["plain"],
            Image.fromarray(image),
            strength=strength,
            negative_prompt=negative,
            num_inference_steps=steps,
            generator=generator(7),
        )
        record |= named(
            case,
            {
                "seed": number(7),
                "prompt": text(PROMPTS["plain"]),
                "source": torch.from_numpy(image),
                "strength": number(strength),
                "num_inference_steps": number(steps),
                "image_embeds": output.image_embeds,
                "negative_image_embeds": output.negative_image_embeds,
            },
        )
        if negative is not None:
            record[f"{case}/negative_prompt"] = text(negative)
    return record


def mixing(models: Models) -> Record:
    record: Record = {}
    items = {"image": Image.fromarray(test_image(90, 70)), "prompt": PROMPTS["plain"]}
    cases = {
        "mix": ((0.3, 0.7), "", None),
        "mix_outside": ((-0.5, 2.0), "", None),
    }
    for case, (weights, negative, prior_negative) in cases.items():
        output = models.prior.interpolate(
            list(items.values()),
            list(weights),
            num_inference_steps=5,
            generator=generator(7),
            negative_prompt=negative,
            negative_prior_prompt=prior_negative,
        )
        record |= named(
            case,
            {
                "seed": number(7),
                "prompt": text(PROMPTS["plain"]),
                "source": torch.from_numpy(test_image(90, 70)),
                "weights": torch.tensor(weights, dtype=torch.float64),
                "num_inference_steps": number(5),
                "image_embeds": output.image_embeds,
                # The negative's call finds the generator run on, but is the zero image without
                # one.
                "negative_image_embeds": output.negative_image_embeds,
            },
        )
    return record


STAGES: dict[str, Callable[[Models], Record]] = {
    "encoders": encoders,
    "unet": unet,
    "images": images,
    "emb2emb": emb2emb,
    "mixing": mixing,
}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description="Records what diffusers computes with 2.2.")
    parser.add_argument("--only", nargs="+", choices=STAGES, help="what to record; default: all")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # one order of summation; also the fastest for models this small
    with tempfile.TemporaryDirectory() as folder:
        if tiny_model.main([folder]) != 0:
            raise SystemExit(1)
        models = Models(Path(folder))
        for name in options.only or STAGES:
            path = REFERENCES / f"{name}.tiny-2-2.safetensors"
            save(path, STAGES[name](models), "tiny-2-2", Path(__file__).name)


if __name__ == "__main__":
    main()
