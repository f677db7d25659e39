"""What carries settings: pasted parameters, and sending to img2img."""

from __future__ import annotations

from asking import PROMPT, SIZE, STEPS, upscaler
from browser import ID, Browser
from checking import Checks, same
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

by_api, on_page = Checks(), Checks()


@on_page.add
def pasting_restores_everything(browser: Browser) -> str:
    """A pasted infotext chooses the script and sets its controls."""
    browser.choose_script("None")
    text = (
        f"{PROMPT}\nSteps: 7, Sampler: Euler a, Schedule type: Automatic, CFG scale: 3, Seed: 5, "
        f"Size: {SIZE}x{SIZE}, "
        "Script: Kandinsky, Kandinsky prior steps: 77, Kandinsky prior CFG scale: 2.5, "
        "Kandinsky model: kandinsky-demo, Kandinsky precision: fp32, Kandinsky guidance end: 0.8"
    )
    # One host leaves any pasted text in the prompt, its own too.
    browser.paste(
        "a cat\nSteps: 9, Sampler: Euler a, Schedule type: Automatic, CFG scale: 3, Seed: 5, "
        "Size: 64x64"
    )
    expect(browser.one("#txt2img_steps input[type=number]")).to_have_value("9")
    sets_prompt = browser.one("#txt2img_prompt textarea").input_value() == "a cat"
    browser.paste(text)
    expect(browser.one("#tab_txt2img #script_list input")).to_have_value("Kandinsky")
    expect(browser.one(f"{ID}prior_steps input[type=number]")).to_have_value("77")
    expect(browser.one(f"{ID}prior_cfg_scale input[type=number]")).to_have_value("2.5")
    expect(browser.one(f"{ID}precision input")).to_have_value("fp32")
    expect(browser.one(f"{ID}model input")).to_have_value("kandinsky-demo")
    expect(browser.one(f"{ID}guidance_end input[type=number]")).to_have_value("0.8")
    expect(browser.one("#txt2img_steps input[type=number]")).to_have_value("7")
    if sets_prompt:
        expect(browser.one("#txt2img_prompt textarea")).to_have_value(PROMPT)
    expect(browser.one(f"{ID}prior_steps")).to_be_visible()
    # In the advanced panel, which was closed.
    expect(browser.one(f"{ID}guidance_end")).to_be_visible()
    browser.screenshot("pasted")
    for name, usual in {"prior_cfg_scale": 4, "guidance_end": 1}.items():
        browser.set_control(name, usual)
    return "script, 5 controls, the host's own" + (
        "" if sets_prompt else "; the host itself leaves pasted texts in the prompt"
    )


@on_page.add
def sending_keeps_script_and_settings(browser: Browser) -> str:
    """ "Send to img2img" and "Send to inpaint" take the script with all its controls along."""
    there = "#script_img2img_kandinsky_"
    browser.as_requested()
    browser.generate()
    given = {"prior_cfg_scale": "3", "guidance_end": "0.6", "mix_strength_2": "-0.5"}
    browser.open_panel("mix", "mix_strength_2")
    browser.open_panel("advanced", "guidance_end")
    for name, value in given.items():
        browser.set_control(name, float(value))
    file = browser.context.place / "blue.png"
    Image.new("RGB", (40, 30), (0, 0, 255)).save(file)
    browser.put_image(f"{ID}mix_image_2", file)
    for button in ("img2img", "inpaint"):
        browser.open_tab("img2img")
        browser.choose_script("None", "img2img")
        browser.open_tab("txt2img")
        browser.one(f"#txt2img_send_to_{button}").click()
        expect(browser.one("#tab_img2img #script_list input")).to_have_value("Kandinsky")
        expect(browser.one(f"{there}prior_steps")).to_be_visible()
        for name, value in {**given, "prior_steps": str(STEPS)}.items():
            expect(browser.one(f"{there}{name} input[type=number]")).to_have_value(value)
        browser.screenshot(f"sent-to-{button}")
    expect(browser.one(f"{there}mix_image_2 img")).to_be_visible()
    browser.open_tab("txt2img")
    for name, usual in {"prior_cfg_scale": 4, "guidance_end": 1, "mix_strength_2": 0.5}.items():
        browser.set_control(name, usual)
    browser.one(f"{ID}mix .label-wrap").click()
    return "script, 4 controls and an image, to both"


def written(image: Image.Image) -> PngInfo:
    """What a file of the image needs to have its parameters again."""
    info = PngInfo()
    for key, text in image.info.items():
        info.add_text(key, str(text))
    return info


@on_page.add
def extras_and_back(browser: Browser) -> str:
    """An image of ours, made larger in the extras tab, keeps its parameters, and is sent on; from
    "PNG Info" it takes the script and its controls along.
    """
    there, page = "#script_img2img_kandinsky_", browser.page
    given = {"prior_cfg_scale": "3", "guidance_end": "0.6"}
    browser.as_requested()
    browser.open_panel("advanced", "guidance_end")
    for name, value in given.items():
        browser.set_control(name, float(value))
    browser.generate()
    text = browser.file().info["parameters"]
    browser.one("#txt2img_send_to_extras").click()
    expect(browser.one("#extras_image img")).to_be_visible()
    chosen = upscaler(browser.context)
    browser.pick("#extras_upscaler_1", chosen)
    browser.set_number("extras_upscaling_resize", 2)
    browser.one("#extras_generate").click()
    expect(browser.one("#extras_gallery img")).to_be_visible()
    browser.screenshot("extras")
    larger = browser.file("extras")
    # The one that every host has does nothing here.
    times = 1 if chosen == "None" else 2
    same(larger.size, (times * SIZE, times * SIZE), "the size")
    same(larger.info.get("parameters"), text, "its parameters")

    browser.open_tab("img2img")
    browser.choose_script("None", "img2img")
    for button, slot in (("img2img", "#img2img_image img"), ("inpaint", "#img2maskimg canvas")):
        browser.open_tab("Extras")
        browser.one(f"#extras_send_to_{button}").click()
        expect(browser.one(slot)).to_be_visible()
    file = browser.context.place / "larger.png"
    larger.save(file, pnginfo=written(larger))
    for button in ("img2img", "inpaint"):
        browser.open_tab("img2img")
        browser.choose_script("Kandinsky", "img2img")
        browser.set_number(f"{there[1:]}prior_cfg_scale", 7)
        browser.choose_script("None", "img2img")
        browser.open_tab("PNG Info")
        browser.put_image("#pnginfo_image", file)
        page.locator("#tab_pnginfo button").filter(has_text=f"Send to {button}").click()
        expect(browser.one("#tab_img2img #script_list input")).to_have_value("Kandinsky")
        for name, value in {**given, "prior_steps": str(STEPS)}.items():
            expect(browser.one(f"{there}{name} input[type=number]")).to_have_value(value)
        expect(browser.one(f"{there}guidance_end")).to_be_visible()
        browser.screenshot(f"png-info-to-{button}")
    browser.open_tab("txt2img")
    for name, usual in {"prior_cfg_scale": 4, "guidance_end": 1}.items():
        browser.set_control(name, usual)
    return "parameters whole; script and 3 controls to both, from PNG Info"
