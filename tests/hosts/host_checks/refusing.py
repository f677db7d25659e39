"""What cannot be: it is said by name, and the host is as before."""

from __future__ import annotations

from asking import NOWHERE, base, other_script, request, require_base_again
from browser import ID, Browser
from checking import Checks, Context, require, same
from playwright.sync_api import expect

by_api, on_page = Checks(), Checks()


@by_api.add
def bad_input_is_named(context: Context) -> str:
    """A value out of its range, and a model that is not there, are refused by name."""
    said = context.host.refused("/sdapi/v1/txt2img", request(context, prior_steps=5000))
    require("Prior inference steps" in said, said)
    said = context.host.refused("/sdapi/v1/txt2img", request(context, model=NOWHERE))
    require(NOWHERE in said, said)
    require_base_again(context)
    return "a number, a model; the next run is whole"


@by_api.add
def failed_run_leaves_the_host_as_it_was(context: Context) -> str:
    """Kandinsky under another script fails: the request does, too, and everything is put back."""
    before = context.host.get("/kandinsky-probe/state")
    body = request(context, script=False, alwayson_scripts=other_script(model=NOWHERE))
    said = context.host.refused("/sdapi/v1/txt2img", body)
    require(NOWHERE in said, said)
    same(context.host.get("/kandinsky-probe/state"), before, "the host's state")
    return "state equal"


@by_api.add
def without_kandinsky_the_host_speaks_for_itself(context: Context) -> str:
    """A run of the host's own model, which is not there, fails in the host's words."""
    said = context.host.refused("/sdapi/v1/txt2img", request(context, script=False))
    require("andinsky" not in said, said)
    # One host forgets its stand-in for a model then.
    context.state["model"] = context.host.get("/kandinsky-probe/state")["model"]
    require_base_again(context)
    return said[:120]


@by_api.add
def torch_still_raises(context: Context) -> str:
    """With the engine in the process, an allocation that fails is an error, not the host's end."""
    base(context)
    said = context.host.get("/kandinsky-probe/too-much")
    require("allocate" in said, f"torch says {said!r} to 25 TB")
    return str(said.splitlines()[0])


@on_page.add
def bad_input_is_shown(browser: Browser) -> str:
    """A model that is not there is named under the empty gallery, or, by a host that keeps all
    errors from its page, on the console.
    """
    browser.as_requested()
    box = browser.one(f"{ID}model input")
    box.fill("no such model")
    box.press("Enter")
    browser.generate()
    try:
        if browser.context.kind == "reForge":
            printed = browser.context.host.printed()
            require('There is no Kandinsky model "no such model"' in printed, "not on the console")
            return "named on the console"
        expect(browser.page.get_by_text("no such model").first).to_be_visible()
        browser.screenshot("bad-input")
    finally:
        browser.choose("model", "kandinsky-demo")
    return "named"
