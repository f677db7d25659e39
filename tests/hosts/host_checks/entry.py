"""The entry: what the web API lists and describes, and what the page shows at first."""

from __future__ import annotations

from browser import ID, Browser
from checking import Checks, Context, fail, require, same
from playwright.sync_api import expect

by_api, on_page = Checks(), Checks()


@by_api.add
def entry_on_both_tabs(context: Context) -> str:
    """The script is in the dropdown of both tabs, the panel for other scripts beside it."""
    listed = context.host.get("/sdapi/v1/scripts")
    for tab in ("txt2img", "img2img"):
        for title in ("kandinsky", "kandinsky for other scripts"):
            require(title in listed[tab], f"{tab} lists {listed[tab]}")
    return f"{len(listed['txt2img'])} scripts in txt2img"


@by_api.add
def api_describes_the_controls(context: Context) -> str:
    """`script-info` has every control with its label, default and range."""
    described = next(
        (
            info
            for info in context.host.get("/sdapi/v1/script-info")
            if info["name"] == "kandinsky" and not info["is_img2img"]
        ),
        None,
    )
    if described is None:
        fail("script-info does not know the script")
    for row, found in zip(context.controls, described["args"], strict=True):
        require(found["label"] == row.label, f"{row.label} is called {found['label']}")
        if row.default is not None:
            same(found["value"], row.shown(row.default), f"the default of {row.label}")
        for key in ("minimum", "maximum", "step"):
            if hasattr(row, key):
                same(found[key], getattr(row, key), f"the {key} of {row.label}")
    return f"{len(context.controls)} controls"


@on_page.add
def page_opens(browser: Browser) -> str:
    browser.open()
    require(browser.page.title(), "the page has no title")
    return browser.page.title()


@on_page.add
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
        browser.context.control("prior_steps").info,
        "tooltip",
    )
    return "4 controls, a button and a status in either tab; hidden before"


@on_page.add
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


@on_page.add
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
