"""What stays: settings, memory after unloading, and the page after "Reload UI"."""

from __future__ import annotations

import json
import time

import given
import numpy as np
from asking import base, request, require_base_again
from browser import ID, Browser
from checking import Checks, Context, require, same
from playwright.sync_api import expect

by_api, on_page = Checks(), Checks()


@by_api.add
def settings_of_the_extension(context: Context) -> str:
    """The extension's setting can be set; some hosts do not tell those of extensions."""
    context.host.post("/sdapi/v1/options", {"kandinsky_max_memory": 3})
    try:
        kept = context.host.get("/kandinsky-probe/state")["options"]
        same(kept["kandinsky_max_memory"], "3", "the setting")
    finally:
        context.host.post("/sdapi/v1/options", {"kandinsky_max_memory": 0})
    return "set"


@by_api.add
def loading_what_was_prepared(context: Context) -> str:
    """With disk space for it, the first load keeps its weights, and the next one uses them."""

    def load() -> dict[str, int]:
        context.host.post("/kandinsky/v1/unload")
        made = context.host.generate(request(context))
        require(np.array_equal(made.pixels, base(context).pixels), "it is another image")
        return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    with given.place(context, ".prepared") as folder:
        context.host.post("/sdapi/v1/options", {"kandinsky_prepared_weights": 1})
        try:
            kept = load()
            require(any(name.startswith("unet-") for name in kept), f"kept were {sorted(kept)}")
            require(load() == kept, "the second load has written files")
        finally:
            context.host.post("/sdapi/v1/options", {"kandinsky_prepared_weights": 0})
            context.host.post("/kandinsky/v1/unload")
    return f"{len(kept)} files, the same image"


@by_api.add
def memory_after_unloading(context: Context) -> str:
    """Unloading gives back what this and all runs before have taken, to within 60 MB besides pages
    of files, which the system takes back when it needs to. Others beside hold memory of their own.
    """
    context.host.post("/kandinsky/v1/unload")
    seen = [context.host.get("/kandinsky-probe/memory")]
    context.host.generate(request(context, width=512, height=512))
    seen.append(context.host.get("/kandinsky-probe/memory"))
    for _ in range(2):  # some hosts let go of what a request held only after its answer
        time.sleep(1)
        context.host.post("/kandinsky/v1/unload")
    seen.append(context.host.get("/kandinsky-probe/memory"))
    before, used, after = (one["resident"] for one in seen)
    said = ", ".join(f"{value / 1e6:.0f} MB" for value in (before, used, after))
    require(used - after > 60e6, f"nothing was given back; before, with the model, after: {said}")
    more, files = (
        (seen[-1][part] - context.state["memory"][part]) / 1e6 for part in ("resident", "files")
    )
    told = (
        f"before, with the model, after: {said}; since the start {more:.0f} MB more, {files:.0f} "
        "of them of files"
    )
    require(more - files < 60 or context.are_others_beside, told)
    return told


@on_page.add
def settings_page(browser: Browser) -> str:
    """The host's settings have a section of ours, with a sentence for each line of it."""
    browser.open_tab("Settings")
    browser.page.locator("#settings > .tab-nav button").filter(has_text="Kandinsky").click()
    lines = browser.page.locator("#column_settings_kandinsky [id^=setting_kandinsky_]")
    expect(lines.first).to_be_visible()
    browser.page.evaluate("scrollTo(0, 0)")
    browser.screenshot("settings")
    texts = lines.all_inner_texts()
    short = [text for text in texts if len(text.split()) < 12]
    require(len(texts) > 7 and not short, f"of {len(texts)} lines, without a sentence: {short}")
    require("Live previews" in texts[-1], f"of previews it says {texts[-1]!r}")
    return f"{len(texts)} lines"


@on_page.add
def unload_button(browser: Browser) -> str:
    """The engine can be unloaded, and comes back with the next run."""
    status = browser.one(f"{ID}status")
    browser.as_requested()
    browser.generate()
    expect(status).to_contain_text("kandinsky-demo")
    expect(status).to_contain_text("MB")
    browser.one(f"{ID}unload").click()
    expect(status).to_contain_text("Kandinsky is unloaded.")
    browser.one(f"{ID}unload").click()
    expect(status).to_contain_text("Kandinsky was not loaded.")
    require_base_again(browser.context)
    return "said what was loaded, unloaded, generated again"


@on_page.add
def reload_twice(browser: Browser) -> str:
    """ "Reload UI" in the settings, twice: the script is there and works as before, with what the
    host keeps as a default of its fields.
    """
    file = browser.context.place / "data" / "ui-config.json"
    steps = browser.context.control("prior_steps")
    key = f"customscript/kandinsky.py/txt2img/{steps.label}/value"
    for value in (steps.default + 7, steps.default):
        kept = json.loads(file.read_text("utf-8"))
        require(key in kept, f"the host keeps no {key}")
        file.write_text(json.dumps({**kept, key: value}, indent=4), "utf-8")
        browser.reload_ui()
        browser.choose_script("Kandinsky")
        expect(browser.one(f"{ID}prior_steps")).to_be_visible()
        expect(browser.one(f"{ID}prior_steps input[type=number]")).to_have_value(str(value))
    browser.screenshot("reloaded")
    require_base_again(browser.context)
    listed = browser.context.host.get("/sdapi/v1/scripts")["txt2img"]
    same(listed.count("kandinsky"), 1, "entries")
    return "twice, with a default of another value between"


@on_page.add
def page_has_no_errors(browser: Browser) -> str:
    """The browser's console has no error that is the extension's."""
    ours = [error for error in browser.errors if "kandinsky" in error.lower()]
    require(not ours, "; ".join(ours))
    others = f"; {len(browser.errors)} of the host's own" if browser.errors else ""
    return f"none{others}"
