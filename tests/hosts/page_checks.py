"""What the extension must do on a host's page, operated in Chromium as a person would."""

from __future__ import annotations

import json
import re
from typing import Any

import given
import numpy as np
from api_checks import PROMPT, SIZE, STEPS, base, of_the_command_line, request
from browser import ID, Browser
from checklist import Absent, Checks, require, same
from host import as_text
from PIL import Image
from playwright.sync_api import Locator, expect

from kandinsky_ext.controls import OWN

checks = Checks()


@checks.add
def page_opens(browser: Browser) -> str:
    browser.open()
    require(browser.page.title(), "the page has no title")
    return browser.page.title()


@checks.add
def script_shows_its_controls(browser: Browser) -> str:
    """Choosing the script shows its controls, and hides them again, in both tabs."""
    for tab in ("img2img", "txt2img"):
        browser.open_tab(tab)
        steps = browser.one(f"#script_{tab}_kandinsky_prior_steps")
        expect(steps).to_be_hidden()
        browser.choose_script("Kandinsky", tab)
        expect(steps).to_be_visible()
        for name in ("prior_cfg_scale", "model", "precision", "unload"):
            expect(browser.one(f"#script_{tab}_kandinsky_{name}")).to_be_visible()
        steps.scroll_into_view_if_needed()
        browser.screenshot(f"controls-{tab}")
    text = browser.one(f"{ID}status").inner_text()
    require("loaded" in text.lower(), f"the page says of the engine: {text!r}")
    same(
        browser.one(f"{ID}prior_steps").get_attribute("title"),
        about_prior_steps(browser),
        "tooltip",
    )
    return "4 controls, a button and a status in either tab; hidden before"


def about_prior_steps(browser: Browser) -> str:
    rows = browser.context.controls
    return next(str(row.info) for row in rows if row.field == "prior_steps")


@checks.add
def offer_sets_size_and_cfg(browser: Browser) -> str:
    """What the demo model suits is offered in both tabs, and set once, in img2img also where the
    image was to be resized by a factor.
    """
    for tab in ("img2img", "txt2img"):
        browser.open_tab(tab)
        browser.choose_script("Kandinsky", tab)
        offer = browser.one(f"#script_{tab}_kandinsky_offer")
        expect(offer).to_contain_text("128 x 128")
        if tab == "img2img":
            browser.page.locator("#img2img_tabs_resize button").nth(1).click()
            expect(browser.one("#img2img_width")).to_be_hidden()
        browser.one(f"#script_{tab}_kandinsky_offer_set").click()
        for name, value in {"width": "128", "height": "128", "cfg_scale": "2"}.items():
            expect(browser.one(f"#{tab}_{name}")).to_be_visible()
            expect(browser.one(f"#{tab}_{name} input[type=number]")).to_have_value(value)
        expect(offer).to_be_hidden()
    return "in both tabs"


@checks.add
def panels_open(browser: Browser) -> str:
    """The advanced panel and the one for other scripts open and show what is in them."""
    for panel, inside in (("advanced", "guidance_rescale"), ("mix", "mix_strength_2")):
        hidden = browser.one(f"{ID}{inside}")
        expect(hidden).to_be_hidden()
        browser.one(f"{ID}{panel} .label-wrap").click()
        expect(hidden).to_be_visible()
        hidden.scroll_into_view_if_needed()
        browser.screenshot(f"panel-{panel}")
        browser.one(f"{ID}{panel} .label-wrap").click()
    switch = browser.one(f"{ID}mix-checkbox input")
    if switch.count() and switch.is_checked():
        switch.evaluate("box => box.click()")
    return "advanced, image mixing"


@checks.add
def generate_gives_the_image(browser: Browser) -> str:
    """Generate gives the web API's image, with its parameters below it."""
    browser.page.evaluate("scrollTo(0, 0)")
    as_requested(browser)
    browser.generate()
    shown = browser.image()
    browser.page.evaluate("scrollTo(0, 0)")
    browser.screenshot("generated")
    text = browser.infotext()
    require("Script: Kandinsky" in text, f"the parameters are {text!r}")
    expected = base(browser.context).pixels
    require(np.array_equal(shown, expected), "it is not the image that the web API gives")
    return "equal"


def as_requested(browser: Browser) -> None:
    """Sets the page to what `request` asks for, as the checks below have it."""
    browser.choose_script("Kandinsky")
    browser.fill_in()
    browser.set_number("script_txt2img_kandinsky_prior_steps", STEPS)
    choose(browser, "precision", "fp32")
    browser.one("#txt2img_sampling input").click()
    browser.page.locator("ul.options li").filter(
        has_text=re.compile(r"^\W*Euler a\W*$")
    ).first.click()


def choose(browser: Browser, name: str, word: str) -> None:
    box = browser.one(f"{ID}{name} input")
    box.click()
    browser.page.locator("ul.options li").filter(
        has_text=re.compile(rf"^\W*{re.escape(word)}\W*$")
    ).first.click()
    expect(box).to_have_value(word)


@checks.add
def presets_on_the_page(browser: Browser) -> str:
    """A preset gives the command line's image for it: with its sampler and steps, or the page's."""
    usual = next(row.default for row in browser.context.controls if row.field == "prior_steps")
    browser.fill_in()
    browser.set_number("script_txt2img_kandinsky_prior_steps", usual)
    choose(browser, "preset", "Fast")
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
        choose(browser, "preset", "Exact")
        browser.set_number("script_txt2img_kandinsky_prior_steps", STEPS)
    return ", then ".join(said)


def parameter(text: str, key: str) -> str:
    found = re.search(rf"(?:^|, ){key}: ([^,]*)", text, re.MULTILINE)
    return found[1].strip() if found else ""


def of_the_api(browser: Browser, **values: Any) -> np.ndarray:
    return browser.context.host.generate(request(browser.context, **values)).pixels


@checks.add
def depth_map_slot(browser: Browser) -> str:
    """The slot is there for a model with depth control alone, and as long as it holds a map."""
    panel, slot = browser.one(f"{ID}hint_panel"), browser.one(f"{ID}hint")
    expect(panel).to_be_hidden()
    file = given.depth_map(browser.context, SIZE)
    with given.depth_model(browser.context) as model:
        try:
            browser.one(f"{ID}model_refresh").click()
            choose(browser, "model", model.name)
            expect(panel).to_be_visible()
            slot.locator("input[type=file]").set_input_files(str(file))
            expect(slot.locator("img")).to_be_visible()
            browser.screenshot("depth-map-slot")
            as_requested(browser)
            browser.generate()
            text = as_text(np.asarray(Image.open(file)))
            require(
                np.array_equal(browser.image(), of_the_api(browser, model=model.name, hint=text)),
                "it is not the image that the web API gives",
            )
            require("Kandinsky hint: " in browser.infotext(), browser.infotext())
            choose(browser, "model", "kandinsky-demo")
            browser.page.wait_for_timeout(1000)
            expect(panel).to_be_visible()
        finally:
            choose(browser, "model", "kandinsky-demo")
            remove_image(slot)
    expect(panel).to_be_hidden()
    browser.one(f"{ID}model_refresh").click()
    return "seen, used, hidden again"


def remove_image(slot: Locator) -> None:
    """Each gradio calls the button otherwise."""
    button = slot.locator("[aria-label=Clear], [aria-label='Remove Image']")
    if button.count():
        button.first.click()


@checks.add
def lora_in_the_pages_prompt(browser: Browser) -> str:
    """<lora:name:weight> works on the page; a name that no file has is told below the image."""
    with given.lora(browser.context):
        prompt = f"{PROMPT} <lora:{given.LORA}:0.8>"
        as_requested(browser)
        browser.one("#txt2img_prompt textarea").fill(prompt)
        browser.generate()
        require(
            np.array_equal(browser.image(), of_the_api(browser, prompt=prompt)),
            "it is not the image that the web API gives",
        )
        require(f'Kandinsky loras: "{given.LORA}' in browser.infotext(), browser.infotext())
    browser.generate()
    require(np.array_equal(browser.image(), base(browser.context).pixels), "the LoRA is still used")
    expect(browser.one("#tab_txt2img")).to_contain_text(f"Lora not found: {given.LORA}")
    browser.screenshot("lora-not-found")
    as_requested(browser)
    return "used, then named as missing"


@checks.add
def components_under_advanced(browser: Browser) -> str:
    """A file in models/Kandinsky/unet is listed under Advanced after a refresh, and is used."""
    browser.open_panel("advanced", "unet")
    with given.other_unet(browser.context) as file:
        try:
            browser.one(f"{ID}unet_refresh").click()
            choose(browser, "unet", file.name)
            browser.one(f"{ID}image_encoder").scroll_into_view_if_needed()
            browser.screenshot("components")
            as_requested(browser)
            browser.generate()
            require(
                np.array_equal(browser.image(), of_the_api(browser, unet=file.name)),
                "it is not the image that the web API gives",
            )
            require(f"Kandinsky unet: {file.name} [" in browser.infotext(), browser.infotext())
        finally:
            choose(browser, "unet", OWN[""])
    browser.one(f"{ID}unet_refresh").click()
    browser.one(f"{ID}advanced .label-wrap").click()
    return "listed and used"


@checks.add
def preview_and_interrupt(browser: Browser) -> str:
    """A long run shows a preview; Interrupt, pressed twice, ends it in the middle."""
    browser.fill_in(steps=150, batch_count=2)
    browser.one("#txt2img_generate").click()
    expect(browser.one("#txt2img_results .livePreview img")).to_be_visible(timeout=60_000)
    browser.page.wait_for_timeout(1000)
    browser.screenshot("preview")
    button = browser.one("#txt2img_interrupt, #txt2img_interrupting")
    button.click()
    second = browser.one("#txt2img_interrupting")
    if second.count() and second.is_visible():
        # Not as a mouse does: it is gone as soon as the run ends.
        second.evaluate("button => button.click()")
    browser.idle()
    require("Error" not in browser.infotext(), browser.infotext())
    browser.screenshot("interrupted-page")
    browser.fill_in(batch_count=1)
    return "a preview was seen"


@checks.add
def interrupt_after_this_image(browser: Browser) -> str:
    """Interrupt, pressed once, lets the image at work be finished and begins no other."""
    host = browser.context.host
    usual = host.get("/sdapi/v1/options").get("interrupt_after_current")
    if usual is None:
        raise Absent("this host interrupts in the middle only")
    host.post("/sdapi/v1/options", {"interrupt_after_current": True})
    browser.fill_in(steps=60, batch_count=6)
    browser.one("#txt2img_generate").click()
    expect(browser.one("#txt2img_results .livePreview img")).to_be_visible(timeout=60_000)
    browser.one("#txt2img_interrupt").click()
    browser.idle()
    browser.page.wait_for_timeout(500)
    host.post("/sdapi/v1/options", {"interrupt_after_current": usual})
    # An image may be there more than once: large, and small below.
    images = browser.page.locator("#txt2img_gallery img")
    count = len(set(images.evaluate_all("images => images.map(one => one.src)")))
    browser.screenshot("stopped")
    browser.fill_in(batch_count=1)
    require(0 < count < 6, f"{count} images in the gallery")
    return f"{count} images in the gallery, of a grid and 6"


@checks.add
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
        browser.set_number(f"script_txt2img_kandinsky_{name}", usual)
    return "script, 5 controls, the host's own" + (
        "" if sets_prompt else "; the host itself leaves pasted texts in the prompt"
    )


@checks.add
def sending_keeps_script_and_settings(browser: Browser) -> str:
    """ "Send to img2img" and "Send to inpaint" take the script with all its controls along."""
    there = "#script_img2img_kandinsky_"
    browser.set_number("script_txt2img_kandinsky_prior_steps", STEPS)
    browser.fill_in()
    browser.generate()
    given = {"prior_cfg_scale": "3", "guidance_end": "0.6", "mix_strength_2": "-0.5"}
    browser.open_panel("mix", "mix_strength_2")
    browser.open_panel("advanced", "guidance_end")
    for name, value in given.items():
        browser.set_number(f"script_txt2img_kandinsky_{name}", float(value))
    Image.new("RGB", (40, 30), (0, 0, 255)).save(browser.context.place / "blue.png")
    browser.one(f"{ID}mix_image_2 input[type=file]").set_input_files(
        str(browser.context.place / "blue.png")
    )
    expect(browser.one(f"{ID}mix_image_2 img")).to_be_visible()
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
        browser.set_number(f"script_txt2img_kandinsky_{name}", usual)
    browser.one(f"{ID}mix .label-wrap").click()
    return "script, 4 controls and an image, to both"


@checks.add
def other_scripts_take_the_scripts_settings(browser: Browser) -> str:
    """With "Kandinsky for other scripts" on and no script chosen, the image is the script's."""
    browser.fill_in()
    browser.set_number("script_txt2img_kandinsky_prior_steps", STEPS)
    choose(browser, "precision", "fp32")
    switch = "#script_txt2img_kandinsky_for_other_scripts_enabled"
    browser.choose_script("None")
    browser.one(f"{switch} .label-wrap").click()
    browser.page.wait_for_timeout(500)
    browser.screenshot("for-other-scripts")
    browser.generate()
    shown, text = browser.image(), browser.infotext()
    browser.one(f"{switch} .label-wrap").click()
    browser.choose_script("Kandinsky")
    require("Kandinsky for other scripts: True" in text, f"the parameters are {text!r}")
    require(np.array_equal(shown, base(browser.context).pixels), "it is another image")
    return "equal"


@checks.add
def bad_input_is_shown(browser: Browser) -> str:
    """A model that is not there is named under the empty gallery, or, by a host that keeps all
    errors from its page, on the console.
    """
    box = browser.one(f"{ID}model input")
    box.fill("no such model")
    box.press("Enter")
    browser.fill_in()
    browser.generate()
    try:
        if browser.context.kind == "reForge":
            printed = browser.context.host.printed()
            require('There is no Kandinsky model "no such model"' in printed, "not on the console")
            return "named on the console"
        expect(browser.page.get_by_text("no such model").first).to_be_visible()
        browser.screenshot("bad-input")
    finally:
        choose(browser, "model", "kandinsky-demo")
    return "named"


@checks.add
def upscale_button(browser: Browser) -> str:
    """The gallery's button for a second pass works on a finished image."""
    button = browser.one("#txt2img_upscale")
    if not button.count():
        raise Absent("this host has no such button")
    browser.set_number("script_txt2img_kandinsky_prior_steps", STEPS)
    browser.fill_in()
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


@checks.add
def unload_button(browser: Browser) -> str:
    """The engine can be unloaded, and comes back with the next run."""
    status = browser.one(f"{ID}status")
    browser.fill_in()
    browser.generate()
    expect(status).to_contain_text("kandinsky-demo")
    expect(status).to_contain_text("MB")
    browser.one(f"{ID}unload").click()
    expect(status).to_contain_text("Kandinsky is unloaded.")
    browser.one(f"{ID}unload").click()
    expect(status).to_contain_text("Kandinsky was not loaded.")
    base_again(browser)
    return "said what was loaded, unloaded, generated again"


def base_again(browser: Browser) -> None:
    context = browser.context
    before, context.base = base(context), None
    require(np.array_equal(base(context).pixels, before.pixels), "the next image is another")


OVERLAPS = """panel => {
  const shown = [...panel.querySelectorAll("label > span, input, button, p")]
    .map(one => [one, one.getBoundingClientRect()])
    // What lies on an image is gradio's.
    .filter(([one, box]) => one.offsetParent && box.width > 0 && !one.closest(".gradio-image"));
  const edge = panel.getBoundingClientRect(), wrong = [];
  for (const button of panel.querySelectorAll("[id$=_refresh].tool")) {
    const field = panel.querySelector("#" + button.id.replace(/_refresh$/, "") + " input");
    if (!button.offsetParent || !field) continue;
    const a = button.getBoundingClientRect(), b = field.getBoundingClientRect();
    const isLevel = a.top < b.bottom && b.top < a.bottom;
    const isNext = a.left >= b.right && a.left < b.right + 60;
    if (!isLevel || !isNext) wrong.push(button.id + " is not beside its field");
  }
  const name = one => (one.innerText || one.id || one.outerHTML).slice(0, 60);
  shown.forEach(([one, a], at) => {
    if (a.left < edge.left - 1 || a.right > edge.right + 1) wrong.push(name(one) + " sticks out");
    for (const [other, b] of shown.slice(at + 1)) {
      if (one.contains(other) || other.contains(one)) continue;
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 2 && height > 2) wrong.push(name(one) + " overlaps " + name(other));
    }
  });
  return wrong;
}"""


@checks.add
def looks(browser: Browser) -> str:
    """Light, dark and narrow: nothing sticks out, overlaps, or is away from its field."""
    usual = browser.page.viewport_size
    try:
        for name, theme, width in (
            ("light", "light", 1400),
            ("dark", "dark", 1400),
            ("narrow", "light", 700),
            ("phone", "light", 420),
        ):
            browser.page.set_viewport_size({"width": width, "height": 1800})
            browser.open(f"/?__theme={theme}")
            browser.choose_script("Kandinsky")
            browser.open_panel("mix", "mix_strength_2")
            browser.open_panel("advanced", "guidance_rescale")
            panel = browser.one("#tab_txt2img .kandinsky-panel")
            panel.scroll_into_view_if_needed()
            browser.page.wait_for_timeout(500)
            panel.screenshot(path=str(browser.context.report / f"looks-{name}.png"))
            browser.context.kept.append(f"looks-{name}.png")
            wrong = panel.evaluate(OVERLAPS)
            require(not wrong, f"{name}: {'; '.join(wrong)}")
            middles = [
                box["y"] + box["height"] / 2
                for part in ("preset input", "preset_steps input")
                if (box := browser.one(f"{ID}{part}").bounding_box())
            ]
            level = abs(middles[0] - middles[1]) < 4
            require(level or name == "phone", f"{name}: preset and switch at {middles}")
    finally:
        browser.page.set_viewport_size(usual)
        browser.open()
        browser.choose_script("Kandinsky")
    return "light, dark, narrow, as on a phone"


@checks.add
def reload_twice(browser: Browser) -> str:
    """ "Reload UI" in the settings, twice: the script is there and works as before."""
    for _ in range(2):
        browser.reload_ui()
    browser.choose_script("Kandinsky")
    expect(browser.one(f"{ID}prior_steps")).to_be_visible()
    browser.screenshot("reloaded")
    base_again(browser)
    listed = browser.context.host.get("/sdapi/v1/scripts")["txt2img"]
    same(listed.count("kandinsky"), 1, "entries")
    return "twice"


@checks.add
def russian_page(browser: Browser) -> str:
    """With the host's language set to Russian, labels, tooltips and the status are Russian."""
    context = browser.context
    russian = json.loads((context.extension / "localizations" / "ru_RU.json").read_text("utf-8"))
    for language, label in (
        ("ru_RU", russian["Prior inference steps"]),
        ("None", "Prior inference steps"),
    ):
        context.host.post("/sdapi/v1/options", {"localization": language})
        browser.reload_ui()
        browser.choose_script("Kandinsky")
        expect(browser.one(f"{ID}prior_steps")).to_contain_text(label)
        if language == "None":
            break
        expect(browser.one(f"{ID}status")).to_contain_text("загружен")
        tooltip = browser.one(f"{ID}prior_steps").get_attribute("title")
        same(tooltip, russian[about_prior_steps(browser)], "tooltip")
        browser.one(f"{ID}advanced .label-wrap").click()
        browser.page.wait_for_timeout(500)
        browser.one(f"{ID}guidance_rescale").scroll_into_view_if_needed()
        browser.screenshot("russian")
        wrong = browser.one("#tab_txt2img .kandinsky-panel").evaluate(OVERLAPS)
        require(not wrong, "; ".join(wrong))
    return "labels, a tooltip, the status; and English again"


@checks.add
def page_has_no_errors(browser: Browser) -> str:
    """The browser's console has no error that is the extension's."""
    ours = [error for error in browser.errors if "kandinsky" in error.lower()]
    require(not ours, "; ".join(ours))
    others = f"; {len(browser.errors)} of the host's own" if browser.errors else ""
    return f"none{others}"
