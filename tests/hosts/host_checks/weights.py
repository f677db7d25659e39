"""Other weights than the demo model's: depth control, LoRA, components."""

from __future__ import annotations

import given
import numpy as np
from asking import (
    NOWHERE,
    PROMPT,
    SIZE,
    SMALL_STEPS,
    base,
    distance,
    of_the_api,
    of_the_command_line,
    request,
    require_base_again,
)
from browser import ID, Browser
from checking import Checks, Context, require
from host import as_text
from PIL import Image
from playwright.sync_api import expect

from kandinsky_ext.controls import OWN

by_api, on_page = Checks(), Checks()


@by_api.add
def depth_map(context: Context) -> str:
    """A model with depth control follows its map as on the command line; no other takes one."""
    near, far = (given.depth_map(context, SIZE, falling=falling) for falling in (False, True))
    texts = [as_text(np.asarray(Image.open(file))) for file in (near, far)]
    with given.depth_model(context) as model:
        made = [
            context.host.generate(request(context, model=model.name, hint=text)) for text in texts
        ]
        context.keep("depth-map", made[0].pixels)
        require("Kandinsky hint: " in made[0].infotexts[0], made[0].infotexts[0])
        more = (*SMALL_STEPS, "--hint", str(near))
        expected, _ = of_the_command_line(context, *more, model=model)
        require(np.array_equal(made[0].pixels, expected), "it is not the command line's image")
        require(distance(made[0].pixels, made[1].pixels) > 0, "the map has no effect")
        said = context.host.refused("/sdapi/v1/txt2img", request(context, model=model.name))
        require('"Depth map\\"' in said and "needs one" in said, said)
    said = context.host.refused("/sdapi/v1/txt2img", request(context, hint=texts[0]))
    require('"Depth map\\"' in said and "takes none" in said, said)
    require_base_again(context)
    return "equal to the command line's; one missing and one too many are named"


@by_api.add
def depth_map_is_cut_with_the_image(context: Context) -> str:
    """ "Crop and resize" keeps the same part of a wide image and of its map."""
    wide = np.asarray(Image.open(given.depth_map(context, 192)))[:SIZE]
    middle = wide[:, 32:160]
    with given.depth_model(context) as model:
        made = [
            context.host.generate(
                request(
                    context,
                    model=model.name,
                    hint=as_text(pixels),
                    init_images=[as_text(pixels)],
                    resize_mode=mode,
                ),
                "img2img",
            ).pixels
            for pixels, mode in ((wide, 1), (middle, 0), (wide, 0))
        ]
    require(np.array_equal(made[0], made[1]), "it is another image than of what is kept of both")
    require(not np.array_equal(made[0], made[2]), "the resize mode has no effect")
    require_base_again(context)
    return "equal to the image of what is kept of both"


@by_api.add
def no_guidance_needs_no_negative_side(context: Context) -> str:
    """At CFG scale 1 a model generates whose prior cannot embed the image for a negative prompt."""
    hint = as_text(np.asarray(Image.open(given.depth_map(context, SIZE))))
    # An engine that is open may have seen the zero image.
    context.host.post("/kandinsky/v1/unload")
    with given.depth_model(context, can_see=False) as model:
        asked = request(context, model=model.name, hint=hint, negative_prompt="blue")
        context.host.generate({**asked, "cfg_scale": 1})
        said = context.host.refused("/sdapi/v1/txt2img", asked)
        require(given.ZERO_IMAGE in said, said)
    require_base_again(context)
    return "generates at 1; at 2 the file that is missing is named"


@by_api.add
def lora_in_the_prompt(context: Context) -> str:
    """<lora:name:weight> gives the command line's image with this file, if it is one of ours."""
    with given.lora(context) as file:
        asked = request(context, prompt=f"{PROMPT} <lora:{given.LORA}:0.8>")
        made = context.host.generate(asked)
        context.keep("lora", made.pixels)
        expected, _ = of_the_command_line(context, *SMALL_STEPS, "--lora", f"{file}:0.8")
        require(np.array_equal(made.pixels, expected), "it is not the command line's image")
        require(distance(made.pixels, base(context).pixels) > 1, "the LoRA has no effect")
        require(f'Kandinsky loras: "{file.name} [' in made.infotexts[0], made.infotexts[0])
        require_base_again(context)
    missing = context.host.generate(asked)
    require(np.array_equal(missing.pixels, base(context).pixels), "a file that is gone has effect")
    require("Kandinsky loras" not in missing.infotexts[0], missing.infotexts[0])
    return "equal to the command line's; gone with its tag, and with its file"


@by_api.add
def lora_inside_a_run(context: Context) -> str:
    """A LoRA that a detailer's prompt names is merged for its part alone, and the host, which finds
    the file, too, does not try to.
    """
    printed = len(context.host.printed())
    with given.lora(context, hosts=True):
        detail = {
            "prompt": f"a blue square <lora:{given.LORA}:0.8>",
            "denoising_strength": 0.5,
            "seed": 1,
        }
        made = of_the_api(context, alwayson_scripts={"Probe detailer": {"args": [detail]}})
        alone = request(context, init_images=[as_text(base(context).pixels)], **detail)
        expected = context.host.generate(alone, "img2img").pixels
        require(np.array_equal(made, expected), "it is another image than alone")
        without = {**alone, "prompt": "a blue square"}
        plain = context.host.generate(without, "img2img").pixels
        require(distance(made, plain) > 1, "the LoRA has no effect")
        require_base_again(context)
    lines = context.host.printed()[printed:].splitlines()
    named = [line for line in lines if given.LORA in line]
    require(not named, f"the console says {named}")
    return "equal to the same request alone; nothing on the console"


@by_api.add
def components(context: Context) -> str:
    """A UNet from models/Kandinsky/unet gives the command line's image with this file."""
    with given.other_unet(context) as file:
        made = context.host.generate(request(context, unet=file.name))
        context.keep("other-unet", made.pixels)
        expected, _ = of_the_command_line(context, *SMALL_STEPS, "--unet", str(file))
        require(np.array_equal(made.pixels, expected), "it is not the command line's image")
        require(distance(made.pixels, base(context).pixels) > 1, "the file has no effect")
        require(f"Kandinsky unet: {file.name} [" in made.infotexts[0], made.infotexts[0])
        said = context.host.refused("/sdapi/v1/txt2img", request(context, unet=NOWHERE))
        require(NOWHERE in said and file.name in said, said)
    require_base_again(context)
    return "equal to the command line's; a name that is not there is refused with those that are"


@on_page.add
def depth_map_slot(browser: Browser) -> str:
    """The slot is there for a model with depth control alone, and as long as it holds a map."""
    browser.as_requested()
    panel, slot = browser.one(f"{ID}hint_panel"), f"{ID}hint"
    expect(panel).to_be_hidden()
    file = given.depth_map(browser.context, SIZE)
    with given.depth_model(browser.context) as model:
        try:
            browser.one(f"{ID}model_refresh").click()
            browser.choose("model", model.name)
            expect(panel).to_be_visible()
            browser.put_image(slot, file)
            browser.screenshot("depth-map-slot")
            browser.generate()
            text = as_text(np.asarray(Image.open(file)))
            browser.require_image_of_the_api(model=model.name, hint=text)
            require("Kandinsky hint: " in browser.infotext(), browser.infotext())
            browser.choose("model", "kandinsky-demo")
            browser.page.wait_for_timeout(1000)
            expect(panel).to_be_visible()
        finally:
            browser.choose("model", "kandinsky-demo")
            browser.remove_image(slot)
    expect(panel).to_be_hidden()
    browser.one(f"{ID}model_refresh").click()
    return "seen, used, hidden again"


@on_page.add
def lora_in_the_pages_prompt(browser: Browser) -> str:
    """<lora:name:weight> works on the page; a name that no file has is told below the image."""
    with given.lora(browser.context):
        prompt = f"{PROMPT} <lora:{given.LORA}:0.8>"
        browser.as_requested(prompt)
        browser.generate()
        browser.require_image_of_the_api(prompt=prompt)
        require(f'Kandinsky loras: "{given.LORA}' in browser.infotext(), browser.infotext())
    browser.generate()
    browser.require_image_of_the_api()
    expect(browser.one("#tab_txt2img")).to_contain_text(f"Lora not found: {given.LORA}")
    browser.screenshot("lora-not-found")
    browser.as_requested()
    return "used, then named as missing"


@on_page.add
def components_under_advanced(browser: Browser) -> str:
    """A file in models/Kandinsky/unet is listed under Advanced after a refresh, and is used."""
    browser.as_requested()
    browser.open_panel("advanced", "unet")
    with given.other_unet(browser.context) as file:
        try:
            browser.one(f"{ID}unet_refresh").click()
            browser.choose("unet", file.name)
            browser.one(f"{ID}image_encoder").scroll_into_view_if_needed()
            browser.screenshot("components")
            browser.generate()
            browser.require_image_of_the_api(unet=file.name)
            require(f"Kandinsky unet: {file.name} [" in browser.infotext(), browser.infotext())
        finally:
            browser.choose("unet", OWN[""])
    browser.one(f"{ID}unet_refresh").click()
    browser.one(f"{ID}advanced .label-wrap").click()
    return "listed and used"
