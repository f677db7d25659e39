"""What is painted on an image, and how the host blends: sketches, masks drawn by hand, soft
inpainting, colour correction.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from asking import PROMPT, SIZE, base, distance, request
from browser import Browser
from checking import Absent, Checks, Context, require
from host import as_text
from host_checks.other_scripts import arguments_of
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import expect

by_api, on_page = Checks(), Checks()
NO_CHECKPOINT = re.compile(
    "KeyError: 'checkpoint_info'|AttributeError: 'NoneType' object has no attribute 'filename'"
)
"""On Forge Neo's page for img2img without a checkpoint; the second once its plot has run."""

COLOUR = (40, 40, 160)
"""Of what is painted on, which no brush has at first."""
SOFT = "Soft Inpainting"
MIDDLE = np.s_[56:72, 48:80]
"""What is painted over for certain."""
OPACITIES = ((0, 0.02), (0.02, 0.3), (0.3, 0.7), (0.7, 1))


def masked(context: Context, mask: Image.Image, **values: Any) -> dict[str, Any]:
    """A request that inpaints the middle of the base image."""
    return request(
        context,
        prompt="a blue star",
        init_images=[as_text(base(context).pixels)],
        mask=as_text(np.asarray(mask.convert("RGB"))),
        mask_blur=0,
        inpainting_fill=1,
        denoising_strength=0.9,
        **values,
    )


@by_api.add
def soft_inpainting(context: Context) -> str:
    """The host's script for soft masks: the more of the mask, the more is changed. What of it has
    no effect has none, and is named.
    """
    usual = [argument["value"] for argument in arguments_of(context, SOFT)]
    mask = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(mask).rectangle((32, 32, 95, 95), fill="white")
    mask = mask.filter(ImageFilter.GaussianBlur(12))

    def made(*on: float) -> np.ndarray:
        """on: the first of its arguments after the switch."""
        given = [True, *on, *usual[1 + len(on) :]] if on else [False, *usual[1:]]
        body = masked(context, mask, alwayson_scripts={SOFT: {"args": given}})
        return context.host.generate(body, "img2img").pixels

    def named() -> bool:
        told = context.host.get("/kandinsky-probe/remarks")
        return any(one.startswith("Soft inpainting: ") for one in told)

    hard = made()
    require(not named(), "it is named though it is off")
    soft = made(*usual[1:4])
    require(named(), "nothing is said of what has no effect")
    context.keep("soft-inpainting", soft)
    if context.kind in ("Forge", "reForge") and np.array_equal(soft, base(context).pixels):
        raise Absent("on few cores this host's script inpaints nothing, with any model")
    require(np.array_equal(soft, made(4, 3, 16)), "what is said to have no effect has some")
    require(distance(soft, hard) > 1, "it has no effect")
    opacity = np.asarray(mask) / 255
    away = np.abs(soft.astype(int) - base(context).pixels).mean(axis=2)
    parts = [away[(low <= opacity) & (opacity <= high)].mean() for low, high in OPACITIES]
    require(parts[0] < 5, f"where there is no mask, the mean change is {parts[0]:.1f}")
    require(parts[-1] > 5, f"where the mask is whole, the mean change is {parts[-1]:.1f}")
    require(parts == sorted(parts), f"mean changes, from no mask to a whole one: {parts}")
    return "mean changes, from no mask to a whole one: " + ", ".join(f"{v:.1f}" for v in parts)


@by_api.add
def colour_correction(context: Context) -> str:
    """With the host's setting for it an image has the colours that it was made from."""
    across, down = np.meshgrid(np.linspace(0, 255, SIZE), np.linspace(0, 255, SIZE))
    source = np.stack([across, down, 255 - across], axis=2).astype(np.uint8)
    body = request(
        context, prompt="a blue square", init_images=[as_text(source)], denoising_strength=0.8
    )
    away = []
    for on in (False, True):
        made = context.host.generate(
            {**body, "override_settings": {"img2img_color_correction": on}}, "img2img"
        )
        context.keep(f"colour-correction-{on}", made.pixels)
        # As many pixels of each tint, wherever they are. The brightness stays.
        away.append(distance(*(np.sort(tints(one), axis=0) for one in (made.pixels, source))))
    require(away[1] < 0.7 * away[0], f"the colours are {away} away without and with it")
    return f"colours {away[0]:.1f} away without it, {away[1]:.1f} with it"


def tints(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("YCbCr"))[..., 1:].reshape(-1, 2)


def paint(browser: Browser, place: int, slot: str, **numbers: float) -> np.ndarray:
    """In img2img's tab at this place: strokes over the middle of one colour; then Generate. Returns
    how far each pixel of the image is away from that colour.
    """
    page = browser.page
    browser.open_tab("img2img")
    browser.choose_script("Kandinsky", "img2img")
    page.locator("#mode_img2img > .tab-nav button").nth(place).click()
    file = browser.context.place / "colour.png"
    Image.new("RGB", (SIZE, SIZE), COLOUR).save(file)
    browser.one(f"{slot} input[type=file]").set_input_files(str(file))
    canvas = browser.one(f"{slot} canvas")
    expect(canvas).to_be_visible()
    # The image comes into it later, and takes the mouse only then.
    page.wait_for_timeout(2000)
    canvas.hover()
    box = canvas.bounding_box()
    assert box is not None
    for row, down in enumerate(np.linspace(0.35, 0.65, 12)):
        for across in (0.3, 0.7) if row % 2 else (0.7, 0.3):
            at = (box["x"] + across * box["width"], box["y"] + down * box["height"])
            page.mouse.move(*at, steps=4)
            page.mouse.down()
    page.mouse.up()
    browser.fill_in(PROMPT, "img2img", **numbers)
    if browser.one("#img2img_mask_blur").is_visible():
        browser.set_number("img2img_mask_blur", 0)
    browser.screenshot(f"painted-{place}")
    browser.generate("img2img")
    browser.screenshot(f"painted-{place}-made")
    if page.get_by_text(NO_CHECKPOINT).count():
        raise Absent("without a checkpoint this host's page makes no images from images")
    return np.abs(browser.image("img2img").astype(int) - COLOUR).mean(axis=2)


@on_page.add
def sketch(browser: Browser) -> str:
    """What is painted on an image is generated from, too."""
    away = paint(browser, 1, "#img2img_sketch", denoising_strength=0)
    middle, top = away[MIDDLE].mean(), away[:32].mean()
    require(top < 12, f"where nothing is painted it is {top:.1f} away from the source")
    require(middle > 40, f"where it is painted it is {middle:.1f} away from the source")
    return f"{middle:.0f} away from the source where it is painted, {top:.0f} elsewhere"


@on_page.add
def mask_by_hand(browser: Browser) -> str:
    """What is painted over is inpainted, and no other pixel changes."""
    away = paint(browser, 2, "#img2maskimg", denoising_strength=0.9)
    require(away[:16].max() == 0, f"outside the mask it changed by up to {away[:16].max()}")
    middle = away[MIDDLE].mean()
    require(middle > 5, f"inside the mask the mean change is {middle:.1f}")
    return f"mean change inside {middle:.1f}, outside 0"


@on_page.add
def inpaint_sketch(browser: Browser) -> str:
    """What is painted is inpainted from its colours, and no other pixel changes."""
    away = paint(browser, 3, "#inpaint_sketch", denoising_strength=0.1)
    require(away[:16].max() == 0, f"outside the mask it changed by up to {away[:16].max()}")
    middle = away[MIDDLE].mean()
    require(middle > 40, f"where it is painted it is {middle:.1f} away from the source")
    return f"{middle:.0f} away from the source where it is painted, 0 elsewhere"
