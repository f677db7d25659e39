"""Measures diffusers for bench.py: the same work as engine_worker.py, with the same weights.

Options: family, model, prior (folders), dtype ("fp32" or "bf16"), channels_last, compiled (the UNet
through torch.compile with frozen weights). Each network is measured by itself, as the pipelines
call it; `image` runs the pipelines themselves.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import diffusers
import torch
import transformers
from diffusers import (
    DDIMScheduler,
    KandinskyPipeline,
    KandinskyPriorPipeline,
    KandinskyV22Pipeline,
    KandinskyV22PriorPipeline,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    VQModel,
)
from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
from protocol import Answer, serve
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    XLMRobertaTokenizerFast,
)

OPTIONS: dict[str, Any] = json.loads(sys.argv[1])
MODEL, PRIOR = Path(OPTIONS["model"]), Path(OPTIONS["prior"])
DTYPE = {"fp32": torch.float32, "bf16": torch.bfloat16}[OPTIONS["dtype"]]
HOW = {"torch_dtype": DTYPE}
PRIOR_STEPS = 25
TOKENS = 77


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Kandinsky21:
    """What differs between the families."""

    pipelines = (KandinskyPriorPipeline, KandinskyPipeline)
    decoder_text: ClassVar[dict[str, Callable[[], Any]]] = {
        "tokenizer": lambda: XLMRobertaTokenizerFast.from_pretrained(MODEL / "tokenizer"),
        "text_encoder": lambda: MultilingualCLIP.from_pretrained(MODEL / "text_encoder", **HOW),
    }

    @staticmethod
    def conditions(config: Any, rows: int) -> dict[str, Any]:
        width = config.cross_attention_dim
        return {
            "encoder_hidden_states": torch.randn(rows, TOKENS, config.encoder_hid_dim).to(DTYPE),
            "added_cond_kwargs": {
                "text_embeds": torch.randn(rows, width).to(DTYPE),
                "image_embeds": torch.randn(rows, width).to(DTYPE),
            },
        }

    @staticmethod
    def decoder_texts(text: str) -> dict[str, str]:
        return {"prompt": text}


class Kandinsky22:
    """Its decoder reads no texts."""

    pipelines = (KandinskyV22PriorPipeline, KandinskyV22Pipeline)
    decoder_text: ClassVar[dict[str, Callable[[], Any]]] = {}

    @staticmethod
    def conditions(config: Any, rows: int) -> dict[str, Any]:
        embeds = torch.randn(rows, config.encoder_hid_dim).to(DTYPE)
        return {"encoder_hidden_states": None, "added_cond_kwargs": {"image_embeds": embeds}}

    @staticmethod
    def decoder_texts(text: str) -> dict[str, str]:
        del text
        return {}


class DiffusersWorker:
    def __init__(self) -> None:
        warnings.filterwarnings("ignore")
        diffusers.utils.logging.set_verbosity_error()
        transformers.utils.logging.set_verbosity_error()
        self._texts = itertools.count()
        self._loaded: dict[str, Any] = {}
        self._family = {"2.1": Kandinsky21, "2.2": Kandinsky22}[OPTIONS["family"]]

    def versions(self) -> Answer:
        return {
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        }

    # Loading

    def _fast_layout(self, network: torch.nn.Module) -> torch.nn.Module:
        if OPTIONS.get("channels_last"):
            network = network.to(memory_format=torch.channels_last)
        return network

    def _unet(self) -> UNet2DConditionModel:
        unet = self._fast_layout(UNet2DConditionModel.from_pretrained(MODEL / "unet", **HOW))
        if OPTIONS.get("compiled"):
            torch._inductor.config.freezing = True
            unet = torch.compile(unet)
        return unet

    def _networks(self, stage: str) -> dict[str, Callable[[], Any]]:
        text = {
            **self._family.decoder_text,
            "prior_tokenizer": lambda: CLIPTokenizer.from_pretrained(PRIOR / "tokenizer"),
            "prior_text_encoder": lambda: CLIPTextModelWithProjection.from_pretrained(
                PRIOR / "text_encoder", **HOW
            ),
        }
        prior = {
            "prior": lambda: PriorTransformer.from_pretrained(PRIOR / "prior", **HOW),
            "image_encoder": lambda: CLIPVisionModelWithProjection.from_pretrained(
                PRIOR / "image_encoder", **HOW
            ),
        }
        unet = {"unet": self._unet}
        movq = {
            "movq": lambda: self._fast_layout(VQModel.from_pretrained(MODEL / "movq", **HOW)),
        }
        return {
            "text": text,
            "prior": prior,
            "unet": unet,
            "movq": movq,
            "all": text | prior | unet | movq,
        }[stage]

    def load(self, stage: str) -> Answer:
        self.unload()
        start = time.perf_counter()
        for name, make in self._networks(stage).items():
            self._loaded[name] = make()
        return {"samples": [time.perf_counter() - start]}

    def unload(self) -> Answer:
        self._loaded.clear()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        return {}

    # Single networks

    def _tokens(self, tokenizer: str, count: int) -> Any:
        texts = [f"a red circle and blue squares, {next(self._texts)}" for _ in range(count)]
        return self._loaded[tokenizer](
            texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        )

    def text(self) -> Answer:
        """A prompt and a negative prompt through the text encoders."""

        def run() -> None:
            if "text_encoder" in self._loaded:
                tokens = self._tokens("tokenizer", 2)
                self._loaded["text_encoder"](
                    input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
                )
            self._loaded["prior_text_encoder"](self._tokens("prior_tokenizer", 2).input_ids)

        return {"samples": [timed(run)]}

    def prior(self, steps: int) -> Answer:
        """So many guided steps of the loop's 25; a sample is one step, counted 25 times."""
        prior = self._loaded["prior"]
        width = prior.config.embedding_dim
        hidden = torch.randn(2, TOKENS, width).to(DTYPE)
        text_embeds = torch.randn(2, width).to(DTYPE)
        mask = torch.ones(2, TOKENS, dtype=torch.bool)
        scheduler = UnCLIPScheduler.from_pretrained(PRIOR / "scheduler")
        scheduler.set_timesteps(PRIOR_STEPS)
        latents = torch.randn(1, width).to(DTYPE)
        samples = []
        for i in range(steps):
            start = time.perf_counter()
            uncond, cond = prior(
                torch.cat([latents] * 2),
                timestep=scheduler.timesteps[i],
                proj_embedding=text_embeds,
                encoder_hidden_states=hidden,
                attention_mask=mask,
            ).predicted_image_embedding.chunk(2)
            guided = uncond + 4.0 * (cond - uncond)
            latents = scheduler.step(
                guided,
                timestep=scheduler.timesteps[i],
                sample=latents,
                prev_timestep=scheduler.timesteps[i + 1],
            ).prev_sample
            samples.append(time.perf_counter() - start)
        return {"samples": samples, "times": PRIOR_STEPS}

    def unet(self, size: int, batch: int, steps: int) -> Answer:
        """Guided steps; the model is asked with both halves at once."""
        unet = self._loaded["unet"]
        conditions = self._family.conditions(unet.config, 2 * batch)
        scheduler = DDIMScheduler.from_pretrained(MODEL / "scheduler")
        scheduler.set_timesteps(100)
        latents = torch.randn(batch, 4, size // 8, size // 8).to(DTYPE)
        samples = []
        for timestep in scheduler.timesteps[:steps]:
            start = time.perf_counter()
            prediction = unet(torch.cat([latents] * 2), timestep, **conditions).sample
            uncond, cond = prediction[:, :4].chunk(2)
            guided = uncond + 4.0 * (cond - uncond)
            latents = scheduler.step(guided, timestep, latents).prev_sample
            samples.append(time.perf_counter() - start)
        return {"samples": samples}

    def flop(self, size: int, batch: int) -> Answer:
        """Floating point operations of one guided step, counted on tensors without values."""
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(
                UNet2DConditionModel.load_config(MODEL / "unet")
            )
            latents = torch.empty(2 * batch, 4, size // 8, size // 8)
            conditions = self._family.conditions(unet.config, 2 * batch)
            unet.to(DTYPE)
            with FlopCounterMode(display=False) as counter:
                unet(latents.to(DTYPE), torch.tensor(1), **conditions)
        return {"flop": counter.get_total_flops()}

    def decode(self, size: int, batch: int) -> Answer:
        latents = torch.randn(batch, 4, size // 8, size // 8).to(DTYPE)
        movq = self._loaded["movq"]
        return {"samples": [timed(lambda: movq.decode(latents, force_not_quantize=True))]}

    def encode(self, size: int, batch: int) -> Answer:
        images = (torch.rand(batch, 3, size, size) * 2 - 1).to(DTYPE)
        movq = self._loaded["movq"]
        return {"samples": [timed(lambda: movq.encode(images))]}

    # Whole pipelines

    def image(self, size: int, steps: int, prior_steps: int) -> Answer:
        """Both pipelines loaded whole, as people do, and one image generated."""
        if "pipelines" not in self._loaded:
            self._loaded["pipelines"] = [
                kind.from_pretrained(folder, **HOW)
                for kind, folder in zip(self._family.pipelines, (PRIOR, MODEL), strict=True)
            ]
        prior, decoder = self._loaded["pipelines"]
        for pipeline in (prior, decoder):
            pipeline.set_progress_bar_config(disable=True)
        if OPTIONS.get("channels_last"):
            for network in (decoder.unet, decoder.movq):
                network.to(memory_format=torch.channels_last)
        text = f"a red circle and {next(self._texts)} blue squares"

        def run() -> None:
            embeds = prior(text, num_inference_steps=prior_steps)
            decoder(
                **self._family.decoder_texts(text),
                image_embeds=embeds.image_embeds,
                negative_image_embeds=embeds.negative_image_embeds,
                num_inference_steps=steps,
                height=size,
                width=size,
            )

        return {"samples": [timed(run)]}


def main() -> None:
    worker = DiffusersWorker()
    names = ("versions", "load", "unload", "text", "prior", "unet", "flop", "decode", "encode")
    with torch.no_grad():
        serve({name: getattr(worker, name) for name in (*names, "image")})


if __name__ == "__main__":
    main()
