"""Records what diffusers computes: inputs and outputs of every stage, for the parity tests.

Run in the reference environment (requirements.txt). Everything is fp32 on the CPU:

    P=.venv-references/bin/python
    $P tests/parity/make_references.py               # every stage, with the tiny models
    $P tests/parity/make_references.py --only unet   # one stage
    $P tests/parity/make_references.py --tensor-lists     # tests/support/configs/*/*.tensors
    $P tests/parity/make_references.py --check-layouts    # diffusers reads all of tiny_model.py's
    $P tests/parity/make_references.py --model demo/model/kandinsky-demo \
        --output tests/parity/references/text_to_image.kandinsky-demo.safetensors

Files are named <stage>.<where the weights come from>.safetensors, tensors inside
<case>/<what it is>. Texts are tensors of UTF-8 bytes, numbers are tensors of one element; an
absent negative prompt is an absent tensor. The reference classes are used as they are; only their
noise function is wrapped, to write down what it drew.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import diffusers
import diffusers.pipelines.kandinsky.pipeline_kandinsky as decoder_module
import diffusers.pipelines.kandinsky.pipeline_kandinsky_prior as prior_module
import diffusers.schedulers.scheduling_unclip as unclip_module
import numpy as np
import torch
import transformers
from accelerate import init_empty_weights
from diffusers import (
    DDIMScheduler,
    KandinskyPipeline,
    KandinskyPriorPipeline,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    VQModel,
)
from diffusers.pipelines.kandinsky import MultilingualCLIP
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    CLIPImageProcessor,
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
    XLMRobertaTokenizerFast,
)

HERE = Path(__file__).resolve().parent
REFERENCES = HERE / "references"
sys.path.insert(0, str(HERE.parent / "support"))

import tiny_model  # noqa: E402  the folder beside this one is no package

Record = dict[str, torch.Tensor]

INPUT_SEED = 20230403

# What people type, and what breaks tokenizers. The long ones pass 77 tokens in both of them.
PROMPTS = {
    "plain": "a red circle on a white background",
    "russian": "красный круг на белом фоне",
    "empty": "",
    "spaces": "  a   blue\tsquare \n ",
    "capitals": "A Photo Of THE Red CAT, 4K",
    "contractions": "it wasn't the sailor's cat, they'll say: don't!",
    "digits": "2024 cats, 10% off (no. 7)",
    "accents": "café, naïve, Zürich, ёлка и йод",
    "mixed": "кот and cat, 4k фото",
    "emoji": "a cat 🐈 and 日本語 text",
    "joined_emoji": "👩\u200d👩\u200d👧 in a garden",
    "odd_spaces": "a\u00a0red\u200b\u3000cat\r\nhere",
    "normal_forms": "\ufb01ne \u2460 \uff21 cafe\u0301 \u0438\u0306",
    "underscores": "a_b \u2581c \u2581\u2581 d",
    "specials": "<|startoftext|>a cat<|endoftext|> on <s>a</s> mat<mask>",
    "long": ", ".join(["a tall lighthouse on the quiet harbour in the evening light"] * 12),
    "long_russian": ", ".join(["высокий маяк в тихой гавани на фоне заката"] * 12),
    "one_word": "x" * 300,
}
# Texts for the encoders: a short, an empty and a cut one.
ENCODED = ("plain", "russian", "empty", "long")


@dataclass(frozen=True)
class Generation:
    """One whole text to image run; image i of a batch is the run whose seed is larger by i."""

    prompt: str = PROMPTS["plain"]
    negative_prompt: str | None = None
    width: int = 64
    height: int = 64
    num_inference_steps: int = 5
    guidance_scale: float = 4.0
    prior_num_inference_steps: int = 5
    prior_guidance_scale: float = 4.0
    seed: int = 0


BASE = Generation()
TINY_GENERATIONS = {
    "seed_0": BASE,
    "seed_1": replace(BASE, seed=1),
    "seed_2": replace(BASE, seed=2),
    "large_seed": replace(BASE, seed=4294967295),
    "wide": replace(BASE, width=128),
    "tall": replace(BASE, height=128),
    "odd_size": replace(BASE, width=70, height=100),
    "negative_bad": replace(BASE, negative_prompt="bad"),
    "negative_empty": replace(BASE, negative_prompt=""),
    "negative_bad_seed_1": replace(BASE, negative_prompt="bad", seed=1),
    "negative_bad_seed_2": replace(BASE, negative_prompt="bad", seed=2),
    "guidance_1": replace(BASE, guidance_scale=1.0),
    "guidance_1_seed_1": replace(BASE, guidance_scale=1.0, seed=1),
    "guidance_1_negative_bad": replace(BASE, guidance_scale=1.0, negative_prompt="bad"),
    "prior_guidance_1": replace(BASE, prior_guidance_scale=1.0),
    "steps_1": replace(BASE, num_inference_steps=1),
    "steps_20": replace(BASE, num_inference_steps=20),
    "prior_steps_2": replace(BASE, prior_num_inference_steps=2),
    "prior_steps_25": replace(BASE, prior_num_inference_steps=25),
    "russian": replace(BASE, prompt=PROMPTS["russian"], negative_prompt="плохо"),
    "empty_prompt": replace(BASE, prompt=""),
    "long_prompt": replace(BASE, prompt=PROMPTS["long"]),
}
DEMO_BASE = Generation(width=128, height=128, num_inference_steps=20, prior_num_inference_steps=25)
DEMO_GENERATIONS = {
    "red_circle": replace(DEMO_BASE, prompt="a red circle on a white background", seed=1),
    "russian_blue_square": replace(DEMO_BASE, prompt="синий квадрат на белом фоне", seed=2),
    "negative": replace(DEMO_BASE, prompt="a green triangle", negative_prompt="red circle", seed=3),
    "russian_wide": replace(DEMO_BASE, prompt="жёлтая звезда на чёрном фоне", width=192, seed=4),
}


def generator(seed: int) -> torch.Generator:
    return torch.Generator(device="cpu").manual_seed(seed)


def text(value: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(value.encode(), dtype=np.uint8).copy())


def number(value: float) -> torch.Tensor:
    dtype = torch.int64 if isinstance(value, int) else torch.float64
    return torch.tensor([value], dtype=dtype)


@contextlib.contextmanager
def written_down(draws: list[torch.Tensor]) -> Iterator[None]:
    """Appends every noise tensor that the pipelines and the prior's scheduler draw."""
    original = unclip_module.randn_tensor

    def draw(*args: object, **kwargs: object) -> torch.Tensor:
        noise = original(*args, **kwargs)
        draws.append(noise.clone())
        return noise

    with contextlib.ExitStack() as stack:
        for module in (prior_module, decoder_module, unclip_module):
            stack.enter_context(mock.patch.object(module, "randn_tensor", draw))
        yield


class Models:
    """The reference components of one pair of folders."""

    def __init__(self, model: Path, prior: Path, variant: str | None = None) -> None:
        how = {"torch_dtype": torch.float32, "variant": variant}
        self.decoder = KandinskyPipeline.from_pretrained(model, **how)
        self.prior = KandinskyPriorPipeline.from_pretrained(prior, **how)
        self.model_folder = model
        for pipeline in (self.decoder, self.prior):
            pipeline.set_progress_bar_config(disable=True)

    def clip_tokens(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.prior.tokenizer(
            [prompt], padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        )
        return tokens.input_ids, tokens.attention_mask

    def xlmr_tokens(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        tokenizer = self.decoder.tokenizer
        if not isinstance(tokenizer, XLMRobertaTokenizerFast):
            raise TypeError(f"the model index names {type(tokenizer).__name__}")
        tokens = tokenizer(
            [prompt], padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        )
        return tokens.input_ids, tokens.attention_mask


def clip_tokens(models: Models) -> Record:
    """The ids of the class that the model index names, which repairs texts first where ftfy is
    installed, as hosts have it.
    """
    if models.prior.tokenizer.fix_text is None:
        raise RuntimeError("ftfy is missing")
    record: Record = {}
    for case, prompt in PROMPTS.items():
        ids, mask = models.clip_tokens(prompt)
        record |= {f"{case}/prompt": text(prompt), f"{case}/ids": ids, f"{case}/mask": mask}
    return record


def xlmr_tokens(models: Models) -> Record:
    record: Record = {}
    for case, prompt in PROMPTS.items():
        ids, mask = models.xlmr_tokens(prompt)
        record |= {f"{case}/prompt": text(prompt), f"{case}/ids": ids, f"{case}/mask": mask}
    return record


def clip_text(models: Models) -> Record:
    tokens = [models.clip_tokens(PROMPTS[case]) for case in ENCODED]
    ids = torch.cat([ids for ids, _ in tokens])
    output = models.prior.text_encoder(ids)
    return {
        "batch/ids": ids,
        "batch/mask": torch.cat([mask for _, mask in tokens]),
        "batch/text_embeds": output.text_embeds,
        "batch/last_hidden_state": output.last_hidden_state,
    }


def test_image(width: int, height: int) -> np.ndarray:
    """Waves, a disc and a bar, [height, width, 3] uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [127 + 100 * np.sin(x / (5 + c) + c) * np.cos(y / (9 - c)) for c in range(3)]
    image = np.stack(waves, axis=-1)
    image[(x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (220, 30, 30)
    image[:, int(width * 0.7) : int(width * 0.8)] = (20, 60, 200)
    return image.round().clip(0, 255).astype(np.uint8)


def clip_vision(models: Models) -> Record:
    encoder = models.prior.image_encoder
    size = encoder.config.image_size
    zeros = torch.zeros(1, 3, size, size)
    record: Record = {
        "zeros/pixel_values": zeros,
        "zeros/image_embeds": encoder(zeros).image_embeds,
    }
    processor: CLIPImageProcessor = models.prior.image_processor
    for case, (width, height) in {"wide": (90, 70), "tall": (64, 112)}.items():
        image = test_image(width, height)
        pixels = processor(Image.fromarray(image), return_tensors="pt").pixel_values
        record |= {
            f"{case}/image": torch.from_numpy(image),
            f"{case}/pixel_values": pixels,
            f"{case}/image_embeds": encoder(pixels).image_embeds,
        }
    return record


def mclip(models: Models) -> Record:
    tokens = [models.xlmr_tokens(PROMPTS[case]) for case in ENCODED]
    ids = torch.cat([ids for ids, _ in tokens])
    mask = torch.cat([mask for _, mask in tokens])
    prompt_embeds, hidden = models.decoder.text_encoder(input_ids=ids, attention_mask=mask)
    return {
        "batch/ids": ids,
        "batch/mask": mask,
        "batch/prompt_embeds": prompt_embeds,
        "batch/text_encoder_hidden_states": hidden,
    }


def prior_transformer(models: Models) -> Record:
    record: Record = {}
    prior = models.prior.prior
    draw = generator(INPUT_SEED)
    width = prior.config.embedding_dim
    for case, timestep in {"first": 999, "middle": 499, "last": 0}.items():
        latents = torch.randn(2, width, generator=draw)
        text_embeds = torch.randn(2, width, generator=draw)
        hidden = torch.randn(2, 77, width, generator=draw)
        mask = torch.ones(2, 77, dtype=torch.int64)
        mask[0, 9:] = 0
        mask[1, 2:] = 0
        output = prior(
            latents,
            timestep=torch.tensor(timestep),
            proj_embedding=text_embeds,
            encoder_hidden_states=hidden,
            attention_mask=mask.bool(),
        )
        record |= {
            f"{case}/timestep": number(timestep),
            f"{case}/latents": latents,
            f"{case}/text_embeds": text_embeds,
            f"{case}/last_hidden_state": hidden,
            f"{case}/mask": mask,
            f"{case}/predicted_image_embedding": output.predicted_image_embedding,
        }
    return record


def run_prior(models: Models, generation: Generation) -> tuple[torch.Tensor, torch.Tensor, Record]:
    draws: list[torch.Tensor] = []
    with written_down(draws):
        output = models.prior(
            generation.prompt,
            negative_prompt=generation.negative_prompt,
            num_inference_steps=generation.prior_num_inference_steps,
            guidance_scale=generation.prior_guidance_scale,
            generator=generator(generation.seed),
        )
    if len(draws) != generation.prior_num_inference_steps:
        raise ValueError(f"the prior drew {len(draws)} times")
    record = {
        "image_embeds": output.image_embeds,
        "negative_image_embeds": output.negative_image_embeds,
        "noise": torch.stack(draws),
    }
    return output.image_embeds, output.negative_image_embeds, record


def parameters(generation: Generation) -> Record:
    record = {
        "prompt": text(generation.prompt),
        "width": number(generation.width),
        "height": number(generation.height),
        "num_inference_steps": number(generation.num_inference_steps),
        "guidance_scale": number(generation.guidance_scale),
        "prior_num_inference_steps": number(generation.prior_num_inference_steps),
        "prior_guidance_scale": number(generation.prior_guidance_scale),
        "seed": number(generation.seed),
    }
    if generation.negative_prompt is not None:
        record["negative_prompt"] = text(generation.negative_prompt)
    return record


def named(case: str, record: Record) -> Record:
    return {f"{case}/{name}": tensor for name, tensor in record.items()}


def prior_loop(models: Models) -> Record:
    """Whole prior runs; `noise` is [draw, row, E], row 1 being the negative prompt's."""
    record: Record = {}
    for steps in (2, 5, 25):
        for guidance in (1.0, 4.0):
            for name, negative in {"none": None, "empty": "", "bad": "bad"}.items():
                generation = replace(
                    BASE,
                    prior_num_inference_steps=steps,
                    prior_guidance_scale=guidance,
                    negative_prompt=negative,
                    seed=7,
                )
                case = f"steps_{steps}_guidance_{guidance:.0f}_negative_{name}"
                _, _, outputs = run_prior(models, generation)
                record |= named(case, parameters(generation) | outputs)
    for name, prompt in {"prompt": BASE.prompt, "empty": "", "bad": "bad"}.items():
        ids, mask = models.clip_tokens(prompt)
        encoded = models.prior.text_encoder(ids)
        texts = {
            "mask": mask,
            "text_embeds": encoded.text_embeds,
            "last_hidden_state": encoded.last_hidden_state,
        }
        record |= named(f"text_{name}", texts)
    return record


def unet_case(
    unet: UNet2DConditionModel,
    draw: torch.Generator,
    rows: int,
    h: int,
    w: int,
    timestep: float,
    scale: float = 1.0,
) -> Record:
    width = unet.config.cross_attention_dim
    sample = torch.randn(rows, unet.config.in_channels, h, w, generator=draw) * scale
    hidden = torch.randn(rows, 77, unet.config.encoder_hid_dim, generator=draw) * scale
    text_embeds = torch.randn(rows, width, generator=draw) * scale
    image_embeds = torch.randn(rows, width, generator=draw) * scale
    output = unet(
        sample=sample,
        timestep=torch.tensor(timestep),
        encoder_hidden_states=hidden,
        added_cond_kwargs={"text_embeds": text_embeds, "image_embeds": image_embeds},
    ).sample
    return {
        "timestep": number(float(timestep)),
        "sample": sample,
        "text_encoder_hidden_states": hidden,
        "prompt_embeds": text_embeds,
        "image_embeds": image_embeds,
        "output": output,
    }


def unet(models: Models) -> Record:
    record: Record = {}
    draw = generator(INPUT_SEED)
    cases = {
        "t_1": (1, 8, 8, 1),
        "t_501": (1, 8, 8, 501),
        "t_999": (1, 8, 8, 999),
        "t_537.3535": (1, 8, 8, 537.3535),
        "batch_2": (2, 8, 8, 751),
        "wide_batch_2": (2, 8, 16, 251),
        "tall": (1, 16, 8, 301),
        "large": (1, 16, 24, 101),
    }
    for case, (rows, h, w, timestep) in cases.items():
        record |= named(case, unet_case(models.decoder.unet, draw, rows, h, w, timestep))
    # Inputs of next to nothing: only here a norm's epsilon shows.
    record |= named("quiet", unet_case(models.decoder.unet, draw, 1, 8, 8, 601, scale=1e-3))
    return record


def unet_inpaint(models: Models) -> Record:
    folder = models.model_folder.with_name(models.model_folder.name + "-inpaint")
    nine_channels = UNet2DConditionModel.from_pretrained(folder / "unet").eval()
    draw = generator(INPUT_SEED)
    return named("t_401", unet_case(nine_channels, draw, 2, 8, 8, 401))


def movq_encode(models: Models) -> Record:
    record: Record = {}
    sizes = {"square": (64, 64), "wide": (128, 64), "tall": (64, 128), "faint": (64, 64)}
    for case, (width, height) in sizes.items():
        image = torch.from_numpy(test_image(width, height))
        if case == "faint":  # where a norm's epsilon shows, as in the unet's quiet case
            image = 112 + image // 8
        pixels = image.float().permute(2, 0, 1)[None] / 127.5 - 1
        record |= {
            f"{case}/image": image,
            f"{case}/latents": models.decoder.movq.encode(pixels).latents,
        }
    return record


def movq_decode(models: Models) -> Record:
    """Latents of deviation 1 (trained models) and 20 (what a random unet ends with)."""
    record: Record = {}
    draw = generator(INPUT_SEED)
    cases = {
        "square": (1, 8, 8, 1.0),
        "wide": (1, 8, 16, 1.0),
        "batch_2": (2, 8, 8, 20.0),
        "quiet": (1, 8, 8, 1e-3),
    }
    for case, (rows, h, w, deviation) in cases.items():
        latents = torch.randn(rows, 4, h, w, generator=draw) * deviation
        decoded = models.decoder.movq.decode(latents, force_not_quantize=True).sample
        record |= {f"{case}/latents": latents, f"{case}/pixels": decoded}
    return record


def noise(_models: Models) -> Record:
    """First draws of fresh generators, then a second one from the same."""
    record: Record = {}
    cases = {
        "latents_seed_0": (0, (1, 4, 8, 8)),
        "latents_seed_4294967295": (4294967295, (1, 4, 8, 16)),
        "latents_seed_1099511627776": (1099511627776, (1, 4, 8, 8)),
        "embeds_seed_3": (3, (1, 16)),
        "embeds_with_negative_seed_3": (3, (2, 16)),
        "embeds_full_size_seed_3": (3, (2, 768)),
    }
    for case, (seed, shape) in cases.items():
        source = generator(seed)
        record |= {
            f"{case}/seed": number(seed),
            f"{case}/first": torch.randn(shape, generator=source),
            f"{case}/second": torch.randn(shape, generator=source),
        }
    return record


def analytic_epsilon(x: torch.Tensor, t: int) -> torch.Tensor:
    """The model of the DDIM cases; the tests spell the same formula."""
    return torch.tanh(x) * 0.5 + t / 2000.0


def analytic_x0(x: torch.Tensor, t: int) -> torch.Tensor:
    """The model of the UnCLIP cases: passes the clamp of 10 on both sides."""
    return torch.tanh(x * 0.7) * 12.0 + t / 1000.0


def ddim(models: Models) -> Record:
    """Whole trajectories; of long ones every tenth part of the steps is kept."""
    record: Record = {}
    scheduler: DDIMScheduler = models.decoder.scheduler
    for steps in (1, 2, 10, 20, 100, 999):
        scheduler.set_timesteps(steps)
        x = torch.randn(1, 4, 8, 8, generator=generator(steps))
        case = f"steps_{steps}"
        record |= {f"{case}/timesteps": scheduler.timesteps.clone(), f"{case}/latents_start": x}
        for i, t in enumerate(scheduler.timesteps):
            x = scheduler.step(analytic_epsilon(x, int(t)), t, x).prev_sample
            if steps <= 20 or (i + 1) % (steps // 10) == 0 or i + 1 == steps:
                record[f"{case}/latents_after_{i + 1}"] = x
    for steps in (3, 5, 7, 30, 50, 64, 150, 250, 333, 500, 501):
        scheduler.set_timesteps(steps)
        record[f"steps_{steps}/timesteps"] = scheduler.timesteps.clone()
    return record


def unclip(models: Models) -> Record:
    record: Record = {}
    scheduler: UnCLIPScheduler = models.prior.scheduler
    for steps in (2, 5, 25):
        scheduler.set_timesteps(steps)
        timesteps = scheduler.timesteps
        case = f"steps_{steps}"
        draw = generator(steps)
        draws: list[torch.Tensor] = []
        trajectory = []
        with written_down(draws):
            x = unclip_module.randn_tensor((2, 16), generator=draw)
            for i, t in enumerate(timesteps):
                x = scheduler.step(
                    analytic_x0(x, int(t)),
                    timestep=t,
                    sample=x,
                    generator=draw,
                    prev_timestep=timesteps[i + 1] if i + 1 < steps else None,
                ).prev_sample
                trajectory.append(x)
        record |= {
            f"{case}/timesteps": timesteps.clone(),
            f"{case}/seed": number(steps),
            f"{case}/noise": torch.stack(draws),
            f"{case}/latents_after": torch.stack(trajectory),
        }
    for steps in (3, 10, 50, 100, 1000):
        scheduler.set_timesteps(steps)
        record[f"steps_{steps}/timesteps"] = scheduler.timesteps.clone()
    return record


def generate(models: Models, generation: Generation) -> Record:
    """Prior and decoder, each from a fresh generator of the same seed, as a single image."""
    image_embeds, negative_image_embeds, prior_outputs = run_prior(models, generation)
    trajectory: list[torch.Tensor] = []

    def keep(_step: int, _timestep: int, latents: torch.Tensor) -> None:
        trajectory.append(latents.clone())

    images = models.decoder(
        generation.prompt,
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
    ).images
    del prior_outputs["noise"]  # prior_loop has draws enough
    encoded: Record = {}
    for side, prompt in {
        "": generation.prompt,
        "negative_": generation.negative_prompt or "",
    }.items():
        ids, mask = models.xlmr_tokens(prompt)
        prompt_embeds, hidden = models.decoder.text_encoder(input_ids=ids, attention_mask=mask)
        encoded[f"{side}prompt_embeds"] = prompt_embeds
        encoded[f"{side}text_encoder_hidden_states"] = hidden
    return (
        parameters(generation)
        | prior_outputs
        | encoded
        | {
            "latents_first": trajectory[0],
            "latents": trajectory[-1],
            "image": torch.from_numpy(np.array(images[0])),
        }
    )


def text_to_image(models: Models) -> Record:
    record: Record = {}
    for case, generation in TINY_GENERATIONS.items():
        record |= named(case, generate(models, generation))
    return record


def demo_text_to_image(models: Models) -> Record:
    record: Record = {}
    for case, generation in DEMO_GENERATIONS.items():
        record |= named(case, generate(models, generation))
    return record


# Stage, where its weights come from, and who records it.
STAGES: dict[str, tuple[str, Callable[[Models], Record]]] = {
    "clip_tokens": ("tiny-2-1-prior", clip_tokens),
    "xlmr_tokens": ("tiny-2-1", xlmr_tokens),
    "clip_text": ("tiny-2-1-prior", clip_text),
    "clip_vision": ("tiny-2-1-prior", clip_vision),
    "mclip": ("tiny-2-1", mclip),
    "prior_transformer": ("tiny-2-1-prior", prior_transformer),
    "prior_loop": ("tiny-2-1-prior", prior_loop),
    "unet": ("tiny-2-1", unet),
    "unet_inpaint": ("tiny-2-1-inpaint", unet_inpaint),
    "movq_encode": ("tiny-2-1", movq_encode),
    "movq_decode": ("tiny-2-1", movq_decode),
    "noise": ("generator", noise),
    "ddim": ("analytic", ddim),
    "unclip": ("analytic", unclip),
    "text_to_image": ("tiny-2-1", text_to_image),
}


def save(path: Path, record: Record, weights: str, recorded_by: str = Path(__file__).name) -> None:
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in record.items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{path.name}: {name} is not finite")
    origin = {
        "recorded_by": f"tests/parity/{recorded_by}",
        "weights": weights,
        "input_seed": INPUT_SEED,
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # In one entry: the writer orders entries at random, and equal records shall be equal files.
    save_file(tensors, path, metadata={"origin": json.dumps(origin)})
    path.chmod(0o644)
    floats = [t for t in tensors.values() if t.dtype == torch.float32 and t.numel() > 0]
    largest = max((float(t.abs().max()) for t in floats), default=0.0)
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes, |x| <= {largest:.3g}")


def write_tensor_lists() -> None:
    """Names and shapes of every weight, asked from the reference classes."""
    classes = {
        "tiny-2-1": {
            "unet": UNet2DConditionModel,
            "movq": VQModel,
            "text_encoder": MultilingualCLIP,
        },
        "tiny-2-1-prior": {
            "prior": PriorTransformer,
            "text_encoder": CLIPTextModelWithProjection,
            "image_encoder": CLIPVisionModelWithProjection,
        },
    }
    classes["tiny-2-1-inpaint"] = classes["tiny-2-1"]
    classes["tiny-2-2-prior"] = classes["tiny-2-1-prior"]
    for decoder in ("decoder", "decoder-inpaint", "controlnet-depth"):
        classes[f"tiny-2-2-{decoder}"] = {"unet": UNet2DConditionModel, "movq": VQModel}
    for model, components in classes.items():
        for component, kind in components.items():
            folder = tiny_model.CONFIGS / model / component
            with init_empty_weights():
                if hasattr(kind, "load_config"):
                    built = kind.from_config(kind.load_config(folder))
                else:
                    built = kind(kind.config_class.from_pretrained(folder))
            lines = [" ".join([n, *map(str, t.shape)]) for n, t in built.state_dict().items()]
            path = tiny_model.CONFIGS / model / f"{component}.tensors"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            print(f"{path}: {len(lines)} tensors")


def check_layouts(plain: Models, out: Path) -> None:
    """Every way in which tiny_model.py can store weights gives diffusers the same weights."""
    layouts = {
        "shards": tiny_model.Layout(shards=3),
        "fp16_variant": tiny_model.Layout(dtype="fp16", variant="fp16"),
        "sharded_variant": tiny_model.Layout(shards=2, variant="fp16"),
        "bf16": tiny_model.Layout(dtype="bf16"),
        "old_keys": tiny_model.Layout(legacy_attention=True, position_ids=True),
    }
    expected = {"decoder": plain.decoder, "prior": plain.prior}
    for name, layout in layouts.items():
        folder = out / name
        for model in ("tiny-2-1", "tiny-2-1-prior"):
            tiny_model.write_model(folder, model, layout)
        loaded = Models(folder / "tiny-2-1", folder / "tiny-2-1-prior", layout.variant or None)
        half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(layout.dtype, torch.float32)
        for side, pipeline in {"decoder": loaded.decoder, "prior": loaded.prior}.items():
            for component, module in pipeline.components.items():
                if not isinstance(module, torch.nn.Module):
                    continue
                weights = expected[side].components[component].state_dict()
                for key, tensor in module.state_dict().items():
                    if not torch.equal(tensor, weights[key].to(half).to(tensor.dtype)):
                        raise ValueError(f"{name}: {component} {key} differs")
        print(f"{name}: diffusers reads the same weights")


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description="Records what diffusers computes.")
    parser.add_argument("--only", nargs="+", choices=STAGES, help="stages to record; default: all")
    parser.add_argument(
        "--tensor-lists", action="store_true", help="rewrite the lists of names and shapes"
    )
    parser.add_argument(
        "--check-layouts",
        action="store_true",
        help="read every layout of tiny_model.py, record none",
    )
    parser.add_argument("--model", type=Path, help="record whole images of this model instead")
    parser.add_argument("--prior", type=Path, help="its prior; default: <model>-prior")
    parser.add_argument("--output", type=Path, help="where these go")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # one order of summation; also the fastest for models this small

    if options.tensor_lists:
        write_tensor_lists()
        return
    if options.model:
        if not options.output:
            parser.error("--model needs --output")
        prior = options.prior or options.model.with_name(options.model.name + "-prior")
        save(options.output, demo_text_to_image(Models(options.model, prior)), options.model.name)
        return
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if tiny_model.main([str(out)]) != 0:
            raise SystemExit(1)
        models = Models(out / "tiny-2-1", out / "tiny-2-1-prior")
        if options.check_layouts:
            check_layouts(models, out)
            return
        for stage in options.only or STAGES:
            weights, function = STAGES[stage]
            save(REFERENCES / f"{stage}.{weights}.safetensors", function(models), weights)


if __name__ == "__main__":
    main()
