"""Extensions of others beside ours, see --beside: where one of them is not there, its check is not
made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from asking import PROMPT, SIZE, base, of_the_api, other_script, request, require_base_again
from browser import Browser
from checking import Absent, Checks, Context, require, same
from host import as_text

by_api, on_page = Checks(), Checks()

ADETAILER = "ADetailer"
DETAIL = "a green circle on a white background"
STRENGTH = 0.9
COMPLAINTS = ("Error running", "kandinsky_ext", "adetailer.py", "nothing detected")
"""On the console. A host without a checkpoint writes a trace of its own for each request."""
NEAR = 32
"""Pixels around a shape that a detector's box, made larger, may reach to."""


def is_there(context: Context, title: str) -> bool:
    return title.lower() in context.host.get("/sdapi/v1/scripts")["txt2img"]


@by_api.add
def beside_controlnet(context: Context) -> str:
    """The real ControlNet, see --beside: on, it is named and leaves the image and the host as they
    are.
    """
    title = "controlnet"
    if not is_there(context, title):
        raise Absent("it is not there")
    unit = {"enabled": True, "module": "none", "image": as_text(base(context).pixels)}
    body = request(context, alwayson_scripts={title: {"args": [unit]}})
    made = context.host.generate(body)
    context.keep("beside-controlnet", made.images[0])
    require(np.array_equal(made.images[0], base(context).pixels), "it is another image")
    told = context.host.get("/kandinsky-probe/remarks")
    require("Extensions: Kandinsky ignores ControlNet." in told, f"remarks: {told}")
    require_base_again(context)
    return f"named; {len(made.images)} images"


def detector(context: Context) -> str:
    """The model that ADetailer finds things with."""
    if not is_there(context, ADETAILER):
        raise Absent("it is not there")
    if context.detector is None:
        raise Absent("it has no model to detect with, see --detector")
    listed = context.host.get("/adetailer/v1/ad_model")["ad_model"]
    require(context.detector.name in listed, f"it lists {listed}")
    return context.detector.name


def detailed(context: Context, **values: Any) -> dict[str, Any]:
    """For `alwayson_scripts`: ADetailer, which paints another shape where it finds one."""
    unit = {
        "ad_model": detector(context),
        "ad_prompt": DETAIL,
        "ad_denoising_strength": STRENGTH,
        **values,
    }
    return {ADETAILER: {"args": [True, False, unit]}}


def all_detailed(context: Context) -> dict[str, Any]:
    """Likewise, but what it finds is made larger until it is the whole image."""
    return detailed(context, ad_dilate_erode=2 * SIZE, ad_mask_blur=0, ad_inpaint_only_masked=False)


def alone(context: Context, image: np.ndarray, seed: int) -> np.ndarray:
    """What ADetailer asks for then, asked for alone."""
    whole = np.full_like(image, 255)
    body = request(
        context,
        prompt=DETAIL,
        seed=seed,
        init_images=[as_text(image)],
        mask=as_text(whole),
        mask_blur=0,
        inpainting_fill=1,
        inpaint_full_res=False,
        denoising_strength=STRENGTH,
    )
    return context.host.generate(body, "img2img").pixels


def require_green_there_alone(image: np.ndarray, plain: np.ndarray) -> str:
    """The red shape of the one image is a green one in the other, and around it nothing changed."""
    red = plain[..., 0].astype(int) - plain[..., 1] > 100
    green = image[..., 1].astype(int) - image[..., 0] > 40
    rows, columns = np.nonzero(red)
    around = np.ones(red.shape, bool)
    around[
        max(0, rows.min() - NEAR) : rows.max() + NEAR,
        max(0, columns.min() - NEAR) : columns.max() + NEAR,
    ] = False
    require(around.any(), "the shape leaves nothing around it")
    changed = (image != plain).any(axis=2)
    require(not (changed & around).any(), "it changed far from the shape")
    share = green[red].mean()
    require(share > 0.5, f"of what was red {share:.0%} is green")
    return f"{share:.0%} of what was red is green, {changed.mean():.0%} of the image changed"


@by_api.add
def adetailer_beside(context: Context) -> str:
    """The real ADetailer: what it finds in an image of ours is painted anew by Kandinsky and by
    ADetailer's own prompt, and nothing else is; in a batch and in img2img, too. Why it cannot be is
    said below the image.
    """
    model, host = detector(context), context.host
    before, printed = host.get("/kandinsky-probe/state"), len(host.printed())
    plain = base(context).pixels
    made = host.generate(request(context, alwayson_scripts=detailed(context)))
    context.keep("adetailer", made.pixels)
    said = require_green_there_alone(made.pixels, plain)
    require(f"ADetailer model: {model}" in made.infotexts[0], made.infotexts[0])
    other = request(context, script=False, alwayson_scripts={**detailed(context), **other_script()})
    require(np.array_equal(host.generate(other).pixels, made.pixels), "another for other scripts")
    batch = host.generate(
        request(context, batch_size=2, alwayson_scripts=all_detailed(context))
    ).images[-2:]
    for place, image in enumerate(batch):
        expected = alone(context, of_the_api(context, seed=1 + place), 1 + place)
        require(np.array_equal(image, expected), f"image {place + 1} is another than alone")
    values: dict[str, Any] = {
        "prompt": PROMPT.replace("circle", "star"),
        "init_images": [as_text(plain)],
        "denoising_strength": 0.5,
    }
    first = host.generate(request(context, **values), "img2img").pixels
    second = request(context, **values, alwayson_scripts=all_detailed(context))
    image = host.generate(second, "img2img").pixels
    require(np.array_equal(image, alone(context, first, 1)), "in img2img it is another than alone")
    log = host.printed()[printed:]
    complaints = [one for one in COMPLAINTS if one in log]
    require(not complaints, f"{complaints} on the console: {log[-600:]}")
    refused = detailed(context, ad_use_sampler=True, ad_sampler="LCM")
    image = host.generate(request(context, alwayson_scripts=refused)).pixels
    require(np.array_equal(image, plain), "a sampler that is refused changes the image")
    told = host.get("/kandinsky-probe/remarks")
    require(any("LCM" in one and "a run inside" in one for one in told), f"remarks: {told}")
    same(host.get("/kandinsky-probe/state"), before, "the host's state")
    require_base_again(context)
    return f"{said}; 2 of a batch and img2img equal; a sampler that is refused is named"


@on_page.add
def adetailer_on_the_page(browser: Browser) -> str:
    """Switched on there it makes the image that it makes by the web API."""
    context, part = browser.context, "#script_txt2img_adetailer_ad_"
    model = detector(context)
    expected = of_the_api(context, alwayson_scripts=detailed(context))
    browser.as_requested()
    switch = browser.one(f"{part}main_accordion .label-wrap")
    switch.click()
    try:
        browser.pick(f"{part}model", model)
        browser.one(f"{part}prompt textarea").fill(DETAIL)
        browser.one(f"{part}inpainting_accordion .label-wrap").click()
        browser.set_number(f"{part[1:]}denoising_strength", STRENGTH)
        browser.generate()
        browser.screenshot("adetailer")
        shown, text = browser.image(), browser.infotext()
    finally:
        switch.click()  # off again, for the checks behind this one
    require(f"ADetailer model: {model}" in text, f"the parameters are {text!r}")
    require(np.array_equal(shown, expected), "it is another image")
    return require_green_there_alone(shown, base(context).pixels)
