"""What the host's loop asks for during a run: batches generated, images encoded and decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from modules import rng, sd_samplers, sd_samplers_common, shared

from kandinsky_ext import choose_sampler, infotext, model_hash, presets, request
from kandinsky_ext.choose_sampler import Chosen
from kandinsky_ext.conditions import Steps
from kandinsky_ext.controls import HOST_CHOICE, Settings
from kandinsky_ext.engine import OpenEngine
from kandinsky_ext.geometry import Floats, fit, host_size, to_array
from kandinsky_ext.host import ignored, inside, networks, others, prompts, tools, wishes
from kandinsky_ext.host.watcher import HostWatcher
from kandinsky_ext.host.wishes import Wishes
from kandinsky_ext.request import Start
from kandinsky_ext.runner import Runner


class RunJob:
    """`facade.Job` for one run, which may be of several processing objects one after another."""

    def __init__(
        self, opened: OpenEngine, settings: Settings, *, model_name: str, steps: int | None = None
    ) -> None:
        """steps: a preset's."""
        self.model_name = model_name
        self.steps = steps
        self._opened = opened
        self._settings = settings
        self._watcher = HostWatcher()
        self._runner = Runner(opened, self._watcher)
        self._factor = int(opened.engine.info.latent_factor)
        self._p: Any = None
        """The processing object at work: the one prepared last, or generated."""
        self._to_start: Any = None
        """One that is prepared and that the host has not started with."""
        self._wishes = Wishes()
        self._size = (0, 0)
        self._nothing_generated = False

    def prepare(self, p: Any, *, script: bool) -> None:
        """Before the host's loop works on p: takes its wishes, switches off what would reach for
        Stable Diffusion's parts, and writes the settings into its parameters.

        script: whether ours is the script chosen. Raises UserError for wishes that cannot be met.
        """
        request.check_fields(p)
        device_remark = tools.device()[1]
        info = self._opened.engine.info
        size_remark = request.size_remark(int(p.width), int(p.height), info.native_size)
        for remark in (device_remark, size_remark):
            if remark is not None:
                p.comment(remark)
        self._p = self._to_start = p
        if isinstance(p.steps, presets.PresetSteps):
            p.steps = self.steps or p.steps.given
        elif script:
            p.steps = self.steps or p.steps
        p.steps = self._settings.fixed_steps() or p.steps
        self._wishes = wishes.take(
            p, self._settings, model=self.model_name, takes_hints=info.takes_hints
        )
        infotext.write(
            p.extra_generation_params,
            self._settings,
            script=script,
            model=self.model_name,
            precision=info.precision,
            host_noise=request.uses_host_noise(p),
            mix=self._wishes.mix,
            hint=self._wishes.hint,
            changes=self._opened.changes(),
        )
        infotext.write_model_hash(
            p.extra_generation_params, model_hash.of(self._opened.key.model_dir)
        )
        chosen = self._sampler(p)
        infotext.write_replaced(p.extra_generation_params, chosen)
        if getattr(p, "enable_hr", False):
            # A name that is refused is told before the first pass.
            self._chosen_for_hires(p)
        known = sd_samplers.find_sampler_config
        if known(p.sampler_name) is None:
            # The host would replace it by its first sampler, without a word.
            shown = (name for name in (chosen.sampler, infotext.SHOWN_SAMPLER) if known(name))
            p.sampler_name = next(shown, p.sampler_name)

    def started(self) -> None:
        """See `facade.Job`: says what only the options of the run tell."""
        p, self._to_start = self._to_start, None
        if p is None:
            return
        infotext.write_emphasis(p.extra_generation_params, prompts.emphasis())
        for remark in (ignored.remark(p), others.remark(p), others.soft_inpainting_remark(p)):
            if remark is not None:
                p.comment(remark)

    def sample(self, p: Any, x: torch.Tensor, conditioning: Any, unconditional: Any) -> Any:
        """See `facade.Job`. `p` may be another than the run's: a detailer works through ours."""
        size = (int(p.width), int(p.height))
        steps = Steps.all_of(self._settings.fixed_steps() or int(p.steps))
        latents = self._generate(p, size, steps, conditioning, unconditional, x, None)
        if latents is None:
            latents = np.zeros(x.shape, dtype=np.float32)
        if getattr(p, "enable_hr", False):
            # The host enlarges them, so they must hold the image and nothing beside it.
            latents = fit(latents, *x.shape[2:])
        return torch.from_numpy(latents).to(x.device)

    def sample_img2img(
        self,
        p: Any,
        x: torch.Tensor,
        noise: torch.Tensor,
        conditioning: Any,
        unconditional: Any,
        steps: int | None,
    ) -> torch.Tensor:
        """See `facade.Job`.

        Nothing to inpaint, a denoising strength of 0, or a stop before the first step give x back.
        """
        size = self._size_of(p, x)
        self._size = size
        masked = getattr(p, "mask", None) is not None and not _is_hr_pass(p)
        mask = p.nmask.reshape(-1, *x.shape[2:])[:1] if masked else None
        if float(p.denoising_strength) <= 0 or (mask is not None and not mask.any()):
            return x
        total, last = sd_samplers_common.setup_img2img_steps(p, steps)
        kept = request.start_steps(
            int(steps or p.steps), total, last + 1, self._settings.fixed_steps()
        )
        if kept.running != min(last + 1, total):
            p.comment(
                f"Steps: at denoising strength {p.denoising_strength:g} there are at most "
                f"{kept.running}."
            )
        width, height = self._runner.latent_size(*size)
        start = Start(
            latents=fit(to_array(x), height, width),
            mask=None if mask is None else self._mask(mask, len(x), height, width),
            steps=kept,
        )
        info = self._opened.engine.info
        method = request.inpaint_method(
            self._settings.inpaint_method,
            # The inpainting model takes no hints.
            has_model=bool(info.inpaint_dir) and not info.takes_hints,
        )
        if mask is not None:
            infotext.write_inpaint(p.extra_generation_params, method)
        latents = self._generate(p, size, kept, conditioning, unconditional, noise, start)
        if latents is None:
            return x
        if masked and method == "model":
            # An inpainting model generates around the mask, too. The host blends, but not where a
            # script does it instead: soft inpainting counts on samplers that did so all along.
            latents = start.kept_around(latents)
        if masked:
            latents = fit(latents, *x.shape[2:])
        return torch.from_numpy(latents).to(x.device)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """See `facade.Job`. The host brings one image at a time, also where several are equal. What
        one gives of its gallery may have an alpha channel.
        """
        values = to_array(images[:, :3].permute(0, 2, 3, 1))
        pixels = np.clip(np.rint((values + 1) * 127.5), 0, 255).astype(np.uint8)
        width, height = host_size(pixels.shape[2], pixels.shape[1], self._factor)
        latents = [
            self._runner.encode(
                one[None], tiling=self._tiling(), cut=lambda found: fit(found, height, width)
            )
            for one in pixels
        ]
        return torch.from_numpy(np.concatenate(latents)).to(images.device)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """See `facade.Job`. Latents of this run's size give images of just the size asked for."""
        given = to_array(latents)
        size = self._decoded_size(given)
        images = self._runner.unchanged(given)
        if images is None or images.shape[1:3] != size[::-1]:
            if self._nothing_generated and not given.any():
                images = np.zeros((len(given), size[1], size[0], 3), dtype=np.uint8)
            else:
                width, height = self._runner.latent_size(*size)
                images = self._runner.decode(
                    fit(given, height, width),
                    width=size[0],
                    height=size[1],
                    tiling=self._tiling(),
                )
        # The host cuts off where others round, so aim at the middle of each of the 256 steps.
        values = (images.astype(np.float32) + 0.5) / 255 * 2 - 1
        return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous().to(latents.device)

    def _generate(
        self,
        p: Any,
        size: tuple[int, int],
        steps: Steps,
        conditioning: Any,
        unconditional: Any,
        noise: torch.Tensor,
        start: Start | None,
    ) -> Floats | None:
        """Latents of the engine's size, or None if it was stopped before there was anything."""
        self._watcher.p = self._p = p
        self._wishes = wishes.of(p) or self._wishes
        with inside.told(p):
            chosen = self._sampler(p)
            networks.merge(p, self._opened)
            hint = self._wishes.hint_for(p)
            asked = request.make(
                p,
                self._settings,
                positives=prompts.positive(conditioning, steps),
                negatives=prompts.negative(p, conditioning, unconditional, steps),
                width=size[0],
                height=size[1],
                sampler=chosen.sampler,
                scheduler=chosen.scheduler,
                steps=steps,
                tiling=self._tiling(),
                parse_weights=prompts.emphasis() not in ("None", "Ignore"),
                noise=self._noise(p, noise, size),
                start=start,
                mix=self._wishes.mix,
                hints=None if hint is None else [hint],
            )
            self._size = size
            latents = self._runner.generate(asked)
        self._nothing_generated = latents is None
        return latents

    def _tiling(self) -> bool:
        """The host has put its setting, or what the run overrides it with, where p says nothing."""
        asked = getattr(self._p, "tiling", None)
        return bool(getattr(shared.opts, "tiling", False) if asked is None else asked)

    def _sampler(self, p: Any) -> Chosen:
        """What p's fields, or those of its hires pass, and our own controls say; written into p's
        parameters.
        """
        named = wishes.sampling(p)
        first = self._chosen(named["sampler_name"], named["scheduler"], self._settings)
        if not _is_hr_pass(p):
            chosen = first
            infotext.write_sampler(p.extra_generation_params, chosen, tools.sampler_names())
        else:
            chosen = self._chosen_for_hires(p)
            infotext.write_hires_sampler(p.extra_generation_params, first, chosen)
        for remark in chosen.remarks:
            p.comment(remark)
        return chosen

    def _chosen_for_hires(self, p: Any) -> Chosen:
        """What the hires fields name, and where they say "same", what the first pass took."""
        named = wishes.sampling(p)
        sampler, scheduler = named["hr_sampler_name"], named["hr_scheduler"]
        settings = self._settings.but(
            sampler=HOST_CHOICE if sampler else self._settings.sampler,
            scheduler=HOST_CHOICE if scheduler else self._settings.scheduler,
        )
        return self._chosen(
            sampler or named["sampler_name"], scheduler or named["scheduler"], settings
        )

    def _chosen(self, sampler: str | None, scheduler: str | None, settings: Settings) -> Chosen:
        package = self._opened.package
        return choose_sampler.choose(
            sampler,
            scheduler,
            settings,
            own_sampler=self._opened.engine.info.own_sampler,
            samplers=list(package.samplers()),
            schedulers=list(package.schedulers()),
        )

    def _noise(self, p: Any, x: torch.Tensor, size: tuple[int, int]) -> Floats | None:
        """The host's noise where its seed extras made it, else None: the engine draws what
        diffusers draws.
        """
        if not request.uses_host_noise(p):
            return None
        width, height = self._runner.latent_size(*size)
        if x.shape[-2:] != (height, width):
            # The host's own noise has the host's size.
            x = rng.ImageRNG(
                (x.shape[1], height, width),
                p.seeds,
                subseeds=p.subseeds,
                subseed_strength=p.subseed_strength,
                seed_resize_from_h=p.seed_resize_from_h,
                seed_resize_from_w=p.seed_resize_from_w,
            ).next()
            x = x * request.noise_multiplier(p)
        return to_array(x)

    def _mask(self, mask: torch.Tensor, batch: int, height: int, width: int) -> Floats:
        one = fit(to_array(mask[None]), height, width)
        return np.ascontiguousarray(np.repeat(one, batch, axis=0))

    def _size_of(self, p: Any, x: torch.Tensor) -> tuple[int, int]:
        """Width and height in pixels of the image that has the latents x."""
        size = (int(p.width), int(p.height))
        if not _is_hr_pass(p) and host_size(*size, self._factor) == tuple(x.shape[:1:-1]):
            return size
        return x.shape[3] * self._factor, x.shape[2] * self._factor

    def _decoded_size(self, latents: Floats) -> tuple[int, int]:
        given = (latents.shape[3], latents.shape[2])
        if given in (self._runner.latent_size(*self._size), host_size(*self._size, self._factor)):
            return self._size
        return given[0] * self._factor, given[1] * self._factor


def _is_hr_pass(p: Any) -> bool:
    return bool(getattr(p, "is_hr_pass", False))
