"""The README's images of the page, made in a host: text to image, mixing, inpainting."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from asking import of_the_api
from browser import ID, Browser
from PIL import Image
from playwright.sync_api import expect

SHRUNK = 1000
QUALITY = 75
STEPS = 30


def make(browser: Browser, folder: Path) -> None:
    """Writes <scene>.webp for each."""
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.context
    source = context.place / "circle.png"
    Image.fromarray(of_the_api(context, steps=STEPS, seed=3)).save(source)
    for scene in (text_to_image, mixing, inpainting):
        _write(browser, folder / f"{scene.__name__.replace('_', '-')}.webp", scene, source)


def text_to_image(browser: Browser, _source: Path) -> str:
    browser.choose_script("Kandinsky")
    _fill_in(browser, "txt2img", "a blue star on a yellow background")
    browser.one(f"{ID}prior_steps").scroll_into_view_if_needed()
    browser.generate()
    return "txt2img"


def mixing(browser: Browser, source: Path) -> str:
    _fill_in(browser, "txt2img", "a triangle")
    browser.open_panel("mix", "mix_strength_2")
    browser.put_image(f"{ID}mix_image_2", source)
    browser.set_control("mix_strength_1", 0)
    browser.set_control("mix_strength_2", 1)
    browser.generate()
    return "txt2img"


def inpainting(browser: Browser, source: Path) -> str:
    browser.open_tab("img2img")
    browser.choose_script("Kandinsky", "img2img")
    browser.page.locator("#mode_img2img button").filter(
        has_text=re.compile(r"^\s*Inpaint upload\s*$")
    ).click()
    with Image.open(source) as image:
        mask = np.zeros(image.size[::-1], np.uint8)
    mask[32:96, 32:96] = 255
    file = browser.context.place / "mask.png"
    Image.fromarray(mask).save(file)
    for name, path in (("base", source), ("mask", file)):
        browser.put_image(f"#img_inpaint_{name}", path)
    _fill_in(browser, "img2img", "a blue star on a white background")
    browser.generate("img2img")
    return "img2img"


def _fill_in(browser: Browser, tab: str, prompt: str) -> None:
    browser.fill_in(prompt, tab, steps=STEPS)
    offer = browser.one(f"#script_{tab}_kandinsky_offer_set")
    if offer.is_visible():
        offer.click()
        expect(offer).to_be_hidden()


def _write(
    browser: Browser, file: Path, scene: Callable[[Browser, Path], str], source: Path
) -> None:
    tab = scene(browser, source)
    page = browser.page
    expect(browser.one(f"#{tab}_gallery img")).to_be_visible()
    # What the mouse left behind, and the status after the run.
    page.mouse.move(0, 0)
    page.wait_for_timeout(2000)
    with Image.open(io.BytesIO(page.screenshot(full_page=True))) as whole:
        shown = whole.convert("RGB")
    foot = page.locator("#footer").last.bounding_box()
    bottom = int(foot["y"]) if foot else shown.height
    shown = shown.crop((0, 0, shown.width, min(bottom, shown.height)))
    height = round(shown.height * SHRUNK / shown.width)
    shown.resize((SHRUNK, height), Image.Resampling.LANCZOS).save(file, quality=QUALITY, method=6)
