"""Two ways to generate for the score: our engine, and diffusers, which a training has at hand.

Both give images as uint8 arrays [H, W, 3]; image i depends on prompts[i] and seeds[i] alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

Images = list[np.ndarray]
BATCH = 16


@dataclass(frozen=True)
class Settings:
    """How to generate."""

    width: int = 128
    height: int = 128
    sampler: str = "DDIM"
    steps: int = 25
    guidance: float = 4.0
    prior_guidance: float = 4.0
    prior_steps: int = 25
    guidance_start: float = 0.0
    guidance_end: float = 1.0
    cache_interval: int = 1


class Backend(Protocol):
    """What the score needs."""

    def samplers(self) -> list[str]: ...

    def generate(self, prompts: Sequence[str], seeds: Sequence[int], how: Settings) -> Images: ...

    def inpaint(
        self,
        pixels: np.ndarray,
        box: tuple[int, int, int, int],
        prompt: str,
        seed: int,
        how: Settings,
    ) -> np.ndarray:
        """Generates a box of an image anew."""
        ...

    def mix(
        self, pixels: np.ndarray, prompt: str, weights: Sequence[float], seed: int, how: Settings
    ) -> Images:
        """One image per weight: 0 is a variation of the given image, 1 what the prompt says."""
        ...


def mask_of(box: tuple[int, int, int, int], pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W], 255 in the box, which is to be generated anew."""
    mask = np.zeros(pixels.shape[:2], dtype=np.uint8)
    left, top, right, bottom = box
    mask[top:bottom, left:right] = 255
    return mask


class EngineBackend:
    """Our engine's Python package. model: the folder that holds the model's folders; decoder: one
    of them.
    """

    def __init__(
        self,
        model: Path,
        precision: str = "fp32",
        *,
        int8_weights: bool = False,
        decoder: str = "kandinsky-demo",
    ) -> None:
        import kandinsky_engine  # noqa: PLC0415

        self._package: Any = kandinsky_engine
        self._engine = kandinsky_engine.Engine(
            str(model / decoder),
            device="cpu",
            precision=precision,
            int8_weights=int8_weights,
        )
        self._inpaint: Any = None
        self._model, self._precision = model, precision

    def samplers(self) -> list[str]:
        return list(self._package.samplers())

    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        how: Settings,
        hints: Sequence[np.ndarray] | None = None,
    ) -> Images:
        """hints: depth maps, for a decoder that takes them."""
        out: Images = []
        for start in range(0, len(prompts), BATCH):
            part = slice(start, start + BATCH)
            more = {} if hints is None else {"hints": list(hints[part])}
            generated = self._engine.text_to_image(
                list(prompts[part]), seeds=list(seeds[part]), width=how.width, height=how.height,
                prior_num_inference_steps=how.prior_steps, prior_guidance_scale=how.prior_guidance,
                **self._sampling(how), **more,
            )  # fmt: skip
            out.extend(generated)
        return out

    @staticmethod
    def _sampling(how: Settings) -> dict[str, Any]:
        return {
            "sampler": how.sampler,
            "num_inference_steps": how.steps,
            "guidance_scale": how.guidance,
            "guidance_start": how.guidance_start,
            "guidance_end": how.guidance_end,
            "cache_interval": how.cache_interval,
        }

    def inpaint(
        self,
        pixels: np.ndarray,
        box: tuple[int, int, int, int],
        prompt: str,
        seed: int,
        how: Settings,
    ) -> np.ndarray:
        if self._inpaint is None:
            self._inpaint = self._package.Engine(
                str(self._model / "kandinsky-demo-inpaint"),
                str(self._model / "kandinsky-demo-prior"),
                device="cpu",
                precision=self._precision,
            )
        return self._inpaint.image_to_image(
            [prompt], images=[pixels], masks=[mask_of(box, pixels)], seeds=[seed], strength=1.0,
            width=pixels.shape[1], height=pixels.shape[0],
            prior_num_inference_steps=how.prior_steps, prior_guidance_scale=how.prior_guidance,
            **self._sampling(how),
        )[0]  # fmt: skip

    def mix(
        self, pixels: np.ndarray, prompt: str, weights: Sequence[float], seed: int, how: Settings
    ) -> Images:
        image = self._engine.encode_images([pixels])
        text, negative = self._engine.encode_prompts(
            [prompt], seeds=[seed],
            prior_num_inference_steps=how.prior_steps, prior_guidance_scale=how.prior_guidance,
        )  # fmt: skip
        return [
            self._engine.generate(
                self._package.Embeds.combine([image, text], [1 - weight, weight]), negative,
                seeds=[seed], width=how.width, height=how.height, **self._sampling(how),
            )[0]
            for weight in weights
        ]  # fmt: skip


class DiffusersBackend:
    """diffusers' own pipelines in fp32, for looking at a training where no engine is built."""

    def __init__(self, model: Path) -> None:
        import diffusers  # noqa: PLC0415
        import torch  # noqa: PLC0415

        self._torch, self._diffusers, self._model = torch, diffusers, model
        self._prior = self._load(diffusers.KandinskyPriorPipeline, "kandinsky-demo-prior")
        self._decoder = self._load(diffusers.KandinskyPipeline, "kandinsky-demo")
        self._inpaint: Any = None

    def _load(self, pipeline: Any, folder: str) -> Any:
        loaded = pipeline.from_pretrained(self._model / folder)
        loaded.set_progress_bar_config(disable=True)
        return loaded

    def samplers(self) -> list[str]:
        return ["DDIM"]

    def _generators(self, seeds: Sequence[int]) -> list[Any]:
        return [self._torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def _guide(self, prompts: Sequence[str], seeds: Sequence[int], how: Settings) -> Any:
        return self._prior(
            list(prompts),
            generator=self._generators(seeds),
            guidance_scale=how.prior_guidance,
            num_inference_steps=how.prior_steps,
        )

    @staticmethod
    def _pixels(result: Any) -> Images:
        return [np.asarray(image.convert("RGB")) for image in result.images]

    def generate(self, prompts: Sequence[str], seeds: Sequence[int], how: Settings) -> Images:
        out: Images = []
        for start in range(0, len(prompts), BATCH):
            texts, numbers = prompts[start : start + BATCH], seeds[start : start + BATCH]
            guide = self._guide(texts, numbers, how)
            out += self._decode(
                texts, guide.image_embeds, guide.negative_image_embeds, numbers, how
            )
        return out

    def _decode(
        self, texts: Sequence[str], embeds: Any, negative: Any, seeds: Sequence[int], how: Settings
    ) -> Images:
        return self._pixels(
            self._decoder(
                list(texts),
                image_embeds=embeds,
                negative_image_embeds=negative,
                generator=self._generators(seeds),
                num_inference_steps=how.steps,
                guidance_scale=how.guidance,
                width=how.width,
                height=how.height,
            )
        )

    def inpaint(
        self,
        pixels: np.ndarray,
        box: tuple[int, int, int, int],
        prompt: str,
        seed: int,
        how: Settings,
    ) -> np.ndarray:
        if self._inpaint is None:
            self._inpaint = self._load(
                self._diffusers.KandinskyInpaintPipeline, "kandinsky-demo-inpaint"
            )
        guide = self._guide([prompt], [seed], how)
        return self._pixels(
            self._inpaint(
                [prompt],
                image=Image.fromarray(pixels),
                mask_image=mask_of(box, pixels).astype(np.float32) / 255,
                image_embeds=guide.image_embeds,
                negative_image_embeds=guide.negative_image_embeds,
                generator=self._generators([seed]),
                num_inference_steps=how.steps,
                guidance_scale=how.guidance,
                width=pixels.shape[1],
                height=pixels.shape[0],
            )
        )[0]

    def mix(
        self, pixels: np.ndarray, prompt: str, weights: Sequence[float], seed: int, how: Settings
    ) -> Images:
        guide = self._guide([prompt], [seed], how)
        processor, tower = self._prior.image_processor, self._prior.image_encoder
        with self._torch.no_grad():
            values = processor(Image.fromarray(pixels), return_tensors="pt").pixel_values
            image = tower(values).image_embeds
        mixes = [image.lerp(guide.image_embeds, weight) for weight in weights]
        return [
            self._decode([""], mixed, guide.negative_image_embeds, [seed], how)[0]
            for mixed in mixes
        ]
