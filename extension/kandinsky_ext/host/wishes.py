"""What a processing object asks for, taken from it before the host's loop works on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from modules import images, shared
from PIL import Image

from kandinsky_ext import hint, mixing
from kandinsky_ext.controls import Settings
from kandinsky_ext.errors import UserError
from kandinsky_ext.host import backend, forge, image_inputs
from kandinsky_ext.mixing import Mix, Pixels

FULL_DECODING = {"sd_vae_decode_method": "Full", "sd_vae_encode_method": "Full"}
"""Else a user's choice of TAESD would decode our latents with Stable Diffusion's little decoder."""
HIRES_DENOISING = 0.75
"""The host's own default, which its API leaves out."""
NO_CHECKPOINT = (None, "", "None", "none", "Use same checkpoint")
USE_SAME = {"hr_sampler_name": "Use same sampler", "hr_scheduler": "Use same scheduler"}
"""The page's words for none, which a pasted or API call's image may bring."""
SAMPLING = ("sampler_name", "scheduler", "hr_sampler_name", "hr_scheduler")
"""Fields that name what to sample with. The host replaces names that it does not know, and fills in
those of a hires pass that has none.
"""
KEPT_AS = "kandinsky_wishes"
TRANSPARENT = "#ffffff"
"""What the engine takes for what is transparent in a hint."""
KEEPING_SHAPE = (1, 2)
"""The host's resize modes "Crop and resize", "Resize and fill". In the others a hint is stretched,
which the engine does as the host does.
"""
HOST_FACTOR = 8
"""Pixels for one number of the host's latents, in which it counts what it cuts off."""


@dataclass(frozen=True)
class Names:
    """By field: what was asked for, and what we and the host have put in its place for the loop."""

    asked: Mapping[str, Any]
    left: Mapping[str, Any]


@dataclass(frozen=True)
class Wishes:
    """Beside the settings. Kept on the processing object, and copied with it."""

    mix: Mix | None = None
    hint: Pixels | None = None
    names: Names | None = None

    def hint_for(self, p: Any) -> Pixels | None:
        """What of the hint belongs to the part of its image that p is about, or as much of it as
        p's resize mode leaves of that image.
        """
        if self.hint is None:
            return None
        box = getattr(p, "paste_to", None)
        if box is not None:
            return hint.part(self.hint, box, p.init_images[0].size)
        if getattr(p, "is_hr_pass", False):
            return hint.part(self.hint, *_hires_part(p))
        if getattr(p, "resize_mode", None) in KEEPING_SHAPE:
            return _resized(self.hint, p)
        return self.hint


def take(p: Any, settings: Settings, *, model: str, takes_hints: bool) -> Wishes:
    """Switches off what would reach for Stable Diffusion's parts, and keeps what was asked of them.

    Raises UserError for a mix that lacks an image, and for a hint that the model of that name lacks
    or does not take.
    """
    image = image_inputs.read(hint.LABEL, settings.hint)
    mix = _mix(p, settings)
    taken = hint.make(image, model=model, takes_hints=takes_hints)
    switch_off(p)
    wishes = Wishes(mix, taken, Names(asked=sampling(p), left=_named(p)))
    setattr(p, KEPT_AS, wishes)
    return wishes


def switch_off(p: Any) -> None:
    """Switches off what would reach for Stable Diffusion's parts."""
    p.do_not_reload_embeddings = True
    for field, name in (("refiner_checkpoint", "Refiner"), ("hr_checkpoint_name", "Hires")):
        if getattr(p, field, None) not in NO_CHECKPOINT:
            setattr(p, field, None)
            p.comment(f"{name} checkpoint: Kandinsky ignores it.")
    for field, same in USE_SAME.items():
        if getattr(p, field, None) == same:
            setattr(p, field, None)
    if getattr(p, "enable_hr", False) and p.denoising_strength is None:
        p.denoising_strength = HIRES_DENOISING
    if forge.takes_model_for_checkpoint():
        p.extra_generation_params[forge.MODEL_KEY] = None
    known = shared.opts.data_labels
    p.override_settings.update({k: v for k, v in FULL_DECODING.items() if k in known})


def of(p: Any) -> Wishes | None:
    """What was taken from p, or from what it is a copy of."""
    wishes: Wishes | None = getattr(p, KEPT_AS, None)
    return wishes


def sampling(p: Any) -> dict[str, Any]:
    """What p asks to sample with, by field: what was asked for, unless a script has written another
    name since the loop began.
    """
    kept, now = of(p), _named(p)
    if kept is None or kept.names is None:
        return now
    asked, left = kept.names.asked, kept.names.left
    # The loop itself fills in the schedule of a hires pass.
    left = {**left, "hr_scheduler": left["hr_scheduler"] or now["scheduler"]}
    return {field: asked[field] if name == left[field] else name for field, name in now.items()}


@contextmanager
def names_kept(p: Any) -> Iterator[None]:
    """For the host's loop on p, which comes after the host's own corrections of the names and
    before any script can write others. Afterwards p has those that were asked for again.
    """
    kept = of(p)
    if kept is None or kept.names is None:
        yield
        return
    setattr(p, KEPT_AS, replace(kept, names=replace(kept.names, left=_named(p))))
    try:
        yield
    finally:
        for field, name in sampling(p).items():
            if hasattr(p, field):
                setattr(p, field, name)
        setattr(p, KEPT_AS, replace(kept, names=None))


def _named(p: Any) -> dict[str, Any]:
    return {field: getattr(p, field, None) for field in SAMPLING}


def forget(p: Any) -> None:
    """Leaves nothing of a run that has ended on its processing object."""
    if of(p) is not None:
        delattr(p, KEPT_AS)


def options_of(p: Any) -> AbstractContextManager[None]:
    """Keeps our own overrides from outliving the run, and the caller's too unless it wants them to
    stay.
    """
    keys = list(FULL_DECODING)
    if p.override_settings_restore_afterwards:
        keys += [key for key in p.override_settings if key not in keys]
    return backend.options_kept(keys)


def _resized(pixels: Pixels, p: Any) -> Pixels:
    """A hint as the host resizes the image that it belongs to, but never by an upscaler: those are
    for photographs.
    """
    image = images.flatten(Image.fromarray(pixels), TRANSPARENT)
    try:
        made = images.resize_image(
            p.resize_mode, image, int(p.width), int(p.height), upscaler_name="None"
        )
    except ValueError as error:
        raise UserError(
            f'"{hint.LABEL}": {image.width} x {image.height} pixels cannot be resized to '
            f"{p.width} x {p.height} in this resize mode: {error}"
        ) from error
    return np.asarray(made.convert("RGB"))


def _hires_part(p: Any) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """Of the first pass's image, made larger: the box that the host keeps of it, and its size."""
    width, height = p.hr_upscale_to_x, p.hr_upscale_to_y
    across, down = getattr(p, "truncate_x", 0), getattr(p, "truncate_y", 0)
    box = (
        across // 2 * HOST_FACTOR,
        down // 2 * HOST_FACTOR,
        width - across * HOST_FACTOR,
        height - down * HOST_FACTOR,
    )
    return box, (width, height)


def _mix(p: Any, settings: Settings) -> Mix | None:
    if not settings.mix:
        return None
    background = getattr(shared.opts, "img2img_background_color", "#ffffff")
    return mixing.make(
        settings,
        image_1=image_inputs.read(mixing.LABELS["mix_image_1"], settings.mix_image_1),
        image_2=image_inputs.read(mixing.LABELS["mix_image_2"], settings.mix_image_2),
        init_images=[
            images.flatten(image, background) for image in getattr(p, "init_images", None) or []
        ],
    )
