"""Images: equal to the command line's, from texts, from images, and on the page."""

from __future__ import annotations

import re

import numpy as np
from asking import (
    SIZE,
    SMALL_STEPS,
    STEPS,
    arguments,
    base,
    distance,
    of_the_api,
    of_the_command_line,
    request,
    upscaler,
)
from browser import ID, Browser
from checking import Absent, Checks, Context, require, same
from host import as_text
from PIL import Image, ImageDraw
from playwright.sync_api import expect

by_api, on_page = Checks(), Checks()


@by_api.add
def image_of_the_command_line(context: Context) -> str:
    """Text to image gives the command line's image, byte for byte."""
    made = base(context)
    context.keep("txt2img", made.pixels)
    expected, _ = of_the_command_line(context, *SMALL_STEPS)
    difference = np.abs(expected.astype(int) - made.pixels).max()
    require(difference == 0, f"they differ by up to {difference} levels of 255")
    return f"{SIZE} x {SIZE}, {STEPS} steps"


@by_api.add
def infotext_names_what_was_used(context: Context) -> str:
    text = base(context).infotexts[0]
    for part in ("Script: Kandinsky", f"Kandinsky prior steps: {STEPS}", "kandinsky-demo"):
        require(part in text, f"no {part!r} in {text!r}")
    require("Model hash" not in text, f"the host's model is in {text!r}")
    return text.splitlines()[-1]


@by_api.add
def arguments_may_be_left_out(context: Context) -> str:
    """Those at the end have their defaults then, though scripts with arguments follow."""
    given = arguments(context)
    for count in (4, 12, len(given)):
        body = {**request(context), "script_args": given[:count]}
        made = context.host.generate(body)
        require(np.array_equal(made.pixels, base(context).pixels), f"{count} give another image")
    return "4, 12 and all"


@by_api.add
def same_seed_same_image(context: Context) -> str:
    again = of_the_api(context)
    require(np.array_equal(again, base(context).pixels), "the second image is another")
    return "equal"


@by_api.add
def batches(context: Context) -> str:
    """Two batches of two: four images of four seeds, each as it comes alone."""
    made = context.host.generate(request(context, n_iter=2, batch_size=2))
    images = made.images[-4:]
    same(len(images), 4, "images")
    require(np.array_equal(images[0], base(context).pixels), "the first is not its seed's")
    alone = of_the_api(context, seed=4)
    require(np.array_equal(images[3], alone), "the fourth is not what its seed gives alone")
    same(made.info["all_seeds"], [1, 2, 3, 4], "seeds")
    return "4 images; the 1st and 4th as they come alone"


@by_api.add
def image_to_image(context: Context) -> str:
    """Denoising strength 0 gives the source again; more gives other images, one for each."""
    source = base(context).pixels
    body = request(context, prompt="a blue square", init_images=[as_text(source)])
    found = {}
    for strength in (0, 0.5, 1):
        made = context.host.generate({**body, "denoising_strength": strength}, "img2img")
        context.keep(f"img2img-{strength}", made.pixels)
        found[strength] = made.pixels
    away = [distance(pixels, source) for pixels in found.values()]
    require(away[0] < 12, f"strength 0 is {away[0]:.1f} away from the source")
    require(min(away[1:]) > 2 * away[0] + 1, f"mean distances from the source: {away}")
    require(distance(found[0.5], found[1]) > 1, "strengths 0.5 and 1 give one image")
    return "mean distances " + ", ".join(f"{value:.1f}" for value in away)


@by_api.add
def inpaint_only_masked(context: Context) -> str:
    """What is outside the mask stays as it is, to the byte; what is inside changes."""
    source = base(context).pixels
    mask = Image.new("RGB", (SIZE, SIZE))
    box = (32, 32, 95, 95)
    ImageDraw.Draw(mask).rectangle(box, fill="white")
    made = context.host.generate(
        request(
            context,
            prompt="a blue star",
            init_images=[as_text(source)],
            mask=as_text(np.asarray(mask)),
            mask_blur=0,
            inpainting_fill=1,
            inpaint_full_res=True,
            inpaint_full_res_padding=16,
            denoising_strength=0.9,
        ),
        "img2img",
    )
    context.keep("inpaint", made.pixels)
    inside = np.zeros((SIZE, SIZE), bool)
    inside[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
    require(
        np.array_equal(made.pixels[~inside], source[~inside]), "pixels outside the mask changed"
    )
    changed = distance(made.pixels[inside], source[inside])
    require(changed > 5, f"inside the mask the mean change is {changed:.1f}")
    return f"mean change inside {changed:.1f}, outside 0"


@by_api.add
def hires_fix(context: Context) -> str:
    """A second pass with a pixel and with a latent upscaler."""
    plain = base(context).pixels
    # Not every host has one for latents.
    latent = [mode["name"] for mode in context.host.get("/sdapi/v1/latent-upscale-modes")][:1]
    upscalers = [upscaler(context), *latent]
    for name in upscalers:
        made = context.host.generate(
            request(
                context,
                enable_hr=True,
                hr_scale=2,
                hr_upscaler=name,
                hr_second_pass_steps=6,
                denoising_strength=0.6,
                hr_cfg=2,
                hr_additional_modules=["Use same choices"],
            )
        )
        context.keep(f"hires-{name}", made.pixels)
        same(made.pixels.shape, (2 * SIZE, 2 * SIZE, 3), f"the size with {name}")
        require("Hires upscale: 2" in made.infotexts[0], "no hires pass in the infotext")
        small = np.asarray(Image.fromarray(made.pixels).resize((SIZE, SIZE), Image.Resampling.BOX))
        away = distance(small, plain)
        require(0 < away < 60, f"{name}: {away:.1f} away from the image without it")
    return f"{' and '.join(upscalers)}, twice the size"


@by_api.add
def mixing_with_an_image(context: Context) -> str:
    """An image among the script's arguments, as the text that the API has for one."""
    blue = np.zeros((SIZE, SIZE, 3), np.uint8)
    blue[..., 2] = 255
    found = {}
    for name, text in {
        "plain": as_text(blue),
        "data": f"data:image/png;base64,{as_text(blue)}",
    }.items():
        made = context.host.generate(request(context, mix=True, mix_image_2=text))
        found[name] = made.pixels
        require("Kandinsky mix" in made.infotexts[0], made.infotexts[0])
    context.keep("mix", found["plain"])
    require(np.array_equal(found["plain"], found["data"]), "a data URI gives another image")
    require(distance(found["plain"], base(context).pixels) > 1, "the image has no effect")
    return "plain base64 and a data URI"


@on_page.add
def generate_gives_the_image(browser: Browser) -> str:
    """Generate gives the web API's image, with its parameters below it."""
    browser.page.evaluate("scrollTo(0, 0)")
    browser.as_requested()
    browser.generate()
    browser.page.evaluate("scrollTo(0, 0)")
    browser.screenshot("generated")
    text = browser.infotext()
    require("Script: Kandinsky" in text, f"the parameters are {text!r}")
    browser.require_image_of_the_api()
    return "equal"


@on_page.add
def presets_on_the_page(browser: Browser) -> str:
    """A preset gives the command line's image for it: with its sampler and steps, or the page's."""
    usual = browser.context.control("prior_steps").default
    browser.as_requested()
    browser.set_control("prior_steps", usual)
    browser.choose("preset", "Fast")
    switch = browser.one(f"{ID}preset_steps input")
    own = ("--steps", str(STEPS), "--sampler", "Euler a", "--scheduler", "Automatic")
    said = []
    try:
        for with_steps, more in ((True, ()), (False, own)):
            switch.set_checked(with_steps)
            browser.generate()
            shown, text = browser.image(), browser.infotext()
            expected, parameters = of_the_command_line(browser.context, "--preset", "fast", *more)
            for key in ("Steps", "Sampler", "Schedule type", "Kandinsky prior steps"):
                same(parameter(text, key), parameter(parameters, key), key)
            require(np.array_equal(shown, expected), f"it is another image than of {more}")
            browser.screenshot(f"preset-{'with' if with_steps else 'without'}-steps")
            said.append(f"{parameter(text, 'Steps')} steps of {parameter(text, 'Sampler')}")
    finally:
        switch.set_checked(False)
        browser.choose("preset", "Exact")
        browser.set_control("prior_steps", STEPS)
    return ", then ".join(said)


def parameter(text: str, key: str) -> str:
    found = re.search(rf"(?:^|, ){key}: ([^,]*)", text, re.MULTILINE)
    return found[1].strip() if found else ""


@on_page.add
def upscale_button(browser: Browser) -> str:
    """The gallery's button for a second pass works on a finished image."""
    button = browser.one("#txt2img_upscale")
    if not button.count():
        raise Absent("this host has no such button")
    browser.as_requested()
    browser.generate()
    # The button is for the image that is open. Not every host opens one by itself.
    if not browser.page.locator("#txt2img_gallery .preview").count():
        browser.one("#txt2img_gallery .thumbnail-item").click()
        expect(browser.one("#txt2img_gallery .preview")).to_be_visible()
    browser.whole_run(button)
    made = browser.image()
    browser.screenshot("upscaled")
    same(made.shape, (2 * SIZE, 2 * SIZE, 3), "the size")
    return "twice the size"
