"""The engine itself."""

from __future__ import annotations

import hashlib
import inspect
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from kandinsky_engine.embeds import CALLS, Embeds, guided
from kandinsky_engine.errors import (
    CancelledError,
    IncompatibleError,
    InvalidArgumentError,
    NotFoundError,
)
from kandinsky_engine.folders import recognize_folder
from kandinsky_engine.progress import Action, Progress
from kandinsky_engine.tables import SAMPLERS, SCHEDULERS, levels


@dataclass
class Info:
    family: str = "kandinsky-2-1"
    device: str = "cpu"
    precision: str = "fp32"
    reason: str = "precision fp32 was asked for"
    prior_dir: str = ""
    native_size: int = 128
    latent_channels: int = 4
    latent_factor: int = 8
    size_multiple: int = 64
    inpaint_dir: str = ""
    changes: str = ""
    takes_hints: bool = False
    own_sampler: str = "DDIM"


@dataclass(frozen=True)
class MemoryPlan:
    peak: int = 543_000_000
    text: str = "everything stays loaded, 543 MB at most (text encoders 87 MB)."


def _digest(*values: object) -> np.ndarray:
    return np.frombuffer(hashlib.sha256(repr(values).encode()).digest(), dtype=np.uint8)


def _content(path: str) -> bytes:
    return Path(path).read_bytes() if Path(path).is_file() else b""


def _marked(path: str) -> str:
    return f"{Path(path).name} [{hashlib.sha256(_content(path)).hexdigest()[:8]}]"


class Engine:
    calls: ClassVar[list[tuple[str, dict]]] = CALLS

    def __init__(
        self,
        model_dir,
        prior_dir=None,
        *,
        device="auto",
        precision="auto",
        inpaint_dir=None,
        companion_dirs=None,
        max_memory=0,
        prepared_weights=None,
        prepared_weights_size=0,
        without=(),
        prior_device=None,
        int8_weights=False,
        unet="",
        movq="",
        text_encoder="",
        prior_model="",
        prior_text_encoder="",
        image_encoder="",
        loras=None,
    ):
        if not (Path(model_dir) / "model_index.json").is_file():
            raise NotFoundError(f"{model_dir}: no model_index.json")
        if (Path(model_dir) / "broken").exists():
            raise NotFoundError(f"{model_dir}: the component unet is missing")
        if device == "cpu" and precision == "fp16":
            raise InvalidArgumentError("precision fp16 is not possible on a CPU")
        beside = Path(f"{model_dir}-inpaint")
        _, role = recognize_folder(model_dir)
        self.model_dir = str(model_dir)
        self.info = Info(
            device=device,
            precision="fp32" if precision == "auto" else precision,
            inpaint_dir=str(beside) if inpaint_dir is None and beside.is_dir() else "",
            takes_hints=role == "hint",
            own_sampler="DDPM" if role == "hint" else "DDIM",  # of Kandinsky 2.2
        )
        self._replaced = ""
        replaced = {
            "unet": unet,
            "movq": movq,
            "text_encoder": text_encoder,
            "prior_model": prior_model,
            "prior_text_encoder": prior_text_encoder,
            "image_encoder": image_encoder,
        }
        replaced = {name: path for name, path in replaced.items() if path}
        for name, path in replaced.items():
            if _content(path) == b"another model":
                raise IncompatibleError(f"{path}: weights of another model")
            self._replaced += f"{name}: {_marked(path)}\n"
        self.info.changes = self._replaced
        self.on_progress = None
        self.on_message = None
        self.closed = False
        self._forget()
        self.step_seconds = float(os.environ.get("KANDINSKY_FAKE_STEP_SECONDS", "0"))
        self._record(
            "open",
            model_dir=str(model_dir),
            device=device,
            precision=precision,
            max_memory=max_memory,
            without=without,
            prepared_weights=prepared_weights,
            prepared_weights_size=prepared_weights_size,
            int8_weights=int8_weights,
            **replaced,
        )

    def close(self):
        self.closed = True
        self._record("close")

    def set_loras(self, loras):
        self._record("set_loras", loras=list(loras))
        marks = []
        for path, weight in (text.rsplit(":", 1) for text in loras):
            if b"another model" in _content(path):
                raise IncompatibleError(f"{path}: a LoRA of another model")
            marks.append(f"{_marked(path)}: {weight}")
        loras_line = f"loras: {' + '.join(marks)}\n" if marks else ""
        self.info.changes = self._replaced + loras_line
        self._forget()

    def unload(self):
        self._record("unload")
        self._forget()

    def _forget(self):
        self._known_rows = set()
        self._known_images = set()

    def cancel(self):
        self._record("cancel")

    def encode_prompts(
        self,
        prompts,
        negative_prompts=None,
        *,
        seeds,
        with_negative=True,
        prior_num_inference_steps=25,
        prior_guidance_scale=4.0,
        negative_image="zero",
        parse_weights=True,
        long_prompts=False,
    ):
        self._record(
            "encode_prompts",
            prompts=list(prompts),
            negative_prompts=None if negative_prompts is None else list(negative_prompts),
            seeds=list(seeds),
            with_negative=with_negative,
            prior_num_inference_steps=prior_num_inference_steps,
            prior_guidance_scale=prior_guidance_scale,
            negative_image=negative_image,
            parse_weights=parse_weights,
            long_prompts=long_prompts,
        )
        assert 1 <= len(prompts) <= 64
        assert len(prompts) == len(seeds)
        self._steps("text_encoder", 1)
        absent = [None] * len(prompts)
        prior = (prior_num_inference_steps, float(prior_guidance_scale), parse_weights)
        given = list(zip(prompts, negative_prompts or absent, seeds, strict=True))
        keys = {(*row, *prior, negative_image, long_prompts): row for row in given}
        new = [row for key, row in keys.items() if key not in self._known_rows]
        if new:
            self._record("prior", prompts=[row[0] for row in new], seeds=[row[2] for row in new])
            self._steps("prior", prior_num_inference_steps)
            self._known_rows |= set(keys)
        long = any(len(text) > 300 for text in prompts)
        if long and not long_prompts and self.on_message is not None:
            self.on_message("The prompt was cut after 77 tokens.")
        rows, negative_rows = [], []
        for text, negative, seed in given:
            rows.append(_digest(text, negative, seed, *prior)[:3])
            by_prior = negative_image == "prior" and negative is not None
            negative_rows.append(_digest(negative, seed, *prior)[:3] if by_prior else [0, 0, 0])
        texts = [_digest(text, parse_weights, long_prompts)[:3] for text in prompts]
        negative_texts = [_digest(text or "")[:3] for text in negative_prompts or absent]
        return Embeds(rows, texts), Embeds(negative_rows, negative_texts) if with_negative else None

    def encode_images(self, images):
        self._record("encode_images", shapes=[image.shape for image in images])
        for image in images:
            assert image.dtype == np.uint8
            assert image.ndim == 2 or image.shape[2] in (1, 3, 4)
        contents = {(image.shape, image.tobytes()) for image in images}
        if new := contents - self._known_images:
            self._record("image_encoder", shapes=[shape for shape, _ in new])
        self._steps("image_encoder", 1)
        self._known_images |= contents
        colours = []
        for image in images:
            deep = image.reshape(*image.shape[:2], -1)[..., :3]
            colours.append(np.broadcast_to(deep.mean(axis=(0, 1)), 3))
        return Embeds(colours, np.zeros((len(colours), 3)))

    def denoise(
        self,
        embeds,
        negative_embeds,
        *,
        width,
        height,
        seeds,
        sampler="Automatic",
        scheduler="Automatic",
        num_inference_steps=50,
        guidance_scale=4.0,
        guidance_rescale=0.0,
        guidance_start=0.0,
        guidance_end=1.0,
        tiling=False,
        noise=None,
        variation_seeds=None,
        variation_strength=0.0,
        seed_resize_width=0,
        seed_resize_height=0,
        init_latents=None,
        strength=0.75,
        init_noise="matched",
        mask=None,
        mask_method="auto",
        conditions=None,
        negative_conditions=None,
        preset="exact",
        cache_interval=1,
        guidance_threshold=1.0,
        forecast=False,
        hints=None,
        hint_start=0.0,
        hint_end=1.0,
        sigmas="",
    ):
        given = {name: value for name, value in locals().items() if name != "self"}
        self._record("denoise", **{**given, "seeds": list(seeds)})
        steps, batch = num_inference_steps, len(seeds)
        if steps > 999:
            raise InvalidArgumentError(f"num_inference_steps is {steps}: 1..999")
        levels_given = [float(word) for word in sigmas.split(",") if word]
        assert not levels_given or len(levels_given) == steps
        if levels_given != sorted(levels_given, reverse=True):
            raise InvalidArgumentError("sigmas has a number that does not fall")
        multiple = self.info.size_multiple
        if tiling and (width % multiple or height % multiple):
            raise InvalidArgumentError(f"tiling at {width}x{height}: expected multiples of 64")
        if mask_method == "model" and not self.info.inpaint_dir:
            raise InvalidArgumentError('mask_method is "model", and there is no inpainting model')
        assert bool(hints) == self.info.takes_hints
        assert all(hint.dtype == np.uint8 and hint.ndim in (2, 3) for hint in hints or ())
        if hints and mask_method == "model":
            raise InvalidArgumentError("the inpainting model takes no hints")
        shape = (batch, 4, *self.latent_size(width, height)[::-1])
        for name, array in (("noise", noise), ("init_latents", init_latents)):
            assert array is None or array.shape == shape, f"{name}: {array.shape}, not {shape}"
        for array in (noise, init_latents, mask):
            assert array is None or (array.flags.c_contiguous and array.dtype == np.float32)
        assert mask is None or mask.shape == (batch, 1, *shape[2:])
        assert negative_embeds is not None or guidance_scale <= 1
        assert sampler in SAMPLERS
        assert scheduler in SCHEDULERS
        running = steps if init_latents is None else min(int(steps * strength), steps)
        towards = guided(embeds, conditions, batch, steps, steps - running)
        against = guided(negative_embeds, negative_conditions, batch, steps, steps - running)
        space = levels(sampler, scheduler)
        look = (steps, float(guidance_scale), sampler, space, guidance_rescale, cache_interval)
        look += (forecast, guidance_threshold)
        look += (sigmas,) * bool(sigmas)
        look += (self.info.changes,) * bool(self.info.changes)
        if hints:
            look += (hint_start, hint_end, *(hint.tobytes() for hint in hints))
        tint = _digest(*look, guidance_start, guidance_end, tiling)[0] / 20
        latents = np.zeros(shape, dtype=np.float32)
        for i, seed in enumerate(seeds):
            drawn = np.random.default_rng(seed % 2**63).normal(size=shape[2:])
            own = drawn if noise is None else noise[i, 0]
            colour = towards[i] * 0.7 + against[i] * 0.1
            shade = np.clip(colour[:, None, None] + own[None] * 6 + tint, 0, 255)
            latents[i, :3] = shade / 255
            latents[i, 3] = own
        if init_latents is not None:
            part = running / steps
            latents = (latents * part + init_latents * (1 - part)).astype(np.float32)
        if self._steps("denoise", running, latents):
            latents = latents * np.float32(0.5)
        if mask is not None and (mask_method == "blend" or not self.info.inpaint_dir):
            latents = latents * mask + init_latents * (1 - mask)
        return np.ascontiguousarray(latents, dtype=np.float32)

    def decode(self, latents, *, width, height, tiling=False):
        self._record("decode", width=width, height=height, shape=latents.shape, tiling=tiling)
        assert latents.dtype == np.float32
        assert latents.flags.c_contiguous
        assert latents.shape[:1:-1] == self.latent_size(width, height)
        self._steps("decode", 1)
        images = np.moveaxis(latents[:, :3], 1, -1) * 255
        large = images.repeat(8, axis=1).repeat(8, axis=2)
        return np.clip(large + 0.5, 0, 255).astype(np.uint8)[:, :height, :width]

    def encode(self, images, *, tiling=False):
        self._record("encode", shape=images.shape, tiling=tiling)
        assert images.dtype == np.uint8
        assert images.flags.c_contiguous
        self._steps("encode", 1)
        batch, height, width, _ = images.shape
        lw, lh = self.latent_size(width, height)
        missing = ((0, 0), (0, lh * 8 - height), (0, lw * 8 - width), (0, 0))
        filled = np.pad(images, missing, mode="edge")
        blocks = filled.reshape(batch, lh, 8, lw, 8, 3).mean(axis=(2, 4))
        latents = np.zeros((batch, 4, lh, lw), dtype=np.float32)
        latents[:, :3] = np.moveaxis(blocks, -1, 1) / 255
        return latents

    def plan_memory(self, width, height, batch_size=1):
        return MemoryPlan()

    def latent_size(self, width, height):
        multiple, factor = self.info.size_multiple, self.info.latent_factor
        return (
            -(-width // multiple) * multiple // factor,
            -(-height // multiple) * multiple // factor,
        )

    def _record(self, name, **arguments):
        Engine.calls.append((name, arguments))

    def _steps(self, stage, steps, latents=None):
        """Returns whether the loop was ended before its end."""
        for step in range(steps + 1):
            if step and self.step_seconds:
                time.sleep(self.step_seconds)
            if self.on_progress is None:
                continue
            shown = latents if step else None
            action = self.on_progress(Progress(stage, step, steps, shown))
            if action is Action.CANCEL:
                raise CancelledError("the job was cancelled")
            if action is Action.FINISH:
                return step < steps
        return False


@dataclass(frozen=True)
class Option:
    name: str


# Now, as a test may put its own functions in place of these.
OPTIONS = {
    operation: [Option(name) for name in inspect.signature(method).parameters]
    for operation, method in {**vars(Engine), "engine": Engine.__init__}.items()
    if inspect.isfunction(method)
}


def options(operation: str) -> list[Option]:
    return OPTIONS[operation]
