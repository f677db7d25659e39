"""Kandinsky under other scripts, and runs inside of runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from asking import SIZE, STEPS, base, of_the_api, other_script, request, require_base_again
from browser import Browser
from checking import Absent, Checks, Context, require, same
from host import as_text

by_api, on_page = Checks(), Checks()


@by_api.add
def under_other_scripts(context: Context) -> str:
    """The panel for other scripts gives the dropdown entry's image."""
    body = request(context, script=False, alwayson_scripts=other_script())
    made = context.host.generate(body)
    require(np.array_equal(made.pixels, base(context).pixels), "it is another image")
    require("Kandinsky for other scripts: True" in made.infotexts[0], made.infotexts[0])
    return "equal"


def arguments_of(context: Context, title: str) -> list[dict[str, Any]]:
    """What a script of the host takes, with its defaults."""
    for described in context.host.get("/sdapi/v1/script-info"):
        if described["name"] == title.lower():
            return described["args"]
    raise Absent(f"this host has no {title}")


def plot_request(context: Context, **wanted: Any) -> dict[str, Any]:
    """A request for the host's plot, by the labels of its controls with _ for a blank."""
    values = []
    for argument in arguments_of(context, "X/Y/Z plot"):
        label = argument["label"] or ""
        value = wanted.get(label.replace(" ", "_"), argument["value"])
        choices = argument.get("choices")
        if label in ("X type", "Y type", "Z type") and choices:
            names = [c if isinstance(c, str) else c[0] for c in choices]
            value = names.index(value if value in names else "Nothing")
        elif label == "Include Sub Images":
            value = True
        values.append(value)
    return request(
        context,
        script=False,
        script_name="X/Y/Z plot",
        script_args=values,
        alwayson_scripts=other_script(),
    )


@by_api.add
def xyz_plot(context: Context) -> str:
    """The host's plot over two seeds and two numbers of steps, by Kandinsky."""
    body = plot_request(
        context, X_type="Seed", X_values="1,2", Y_type="Steps", Y_values=f"{STEPS},5"
    )
    made = context.host.generate(body)
    context.keep("xyz", made.pixels)
    require(
        any(np.array_equal(image, base(context).pixels) for image in made.images[1:]),
        f"none of {len(made.images) - 1} cells is the image of its seed and steps",
    )
    blank = [i for i, image in enumerate(made.images) if image.max() == image.min()]
    require(not blank, f"images {blank} are blank")
    require(made.pixels.shape[0] > 2 * SIZE and made.pixels.shape[1] > 2 * SIZE, "no grid")
    return f"a grid of {made.pixels.shape[1]} x {made.pixels.shape[0]}, {len(made.images)} images"


@by_api.add
def own_axis_of_the_plot(context: Context) -> str:
    """A cell of an axis of ours is the image of its value alone, byte for byte."""
    label = "[Kandinsky] Prior inference steps"
    made = context.host.generate(plot_request(context, X_type=label, X_values=f"{STEPS},4"))
    alone = of_the_api(context, prior_steps=4)
    for pixels, what in ((base(context).pixels, STEPS), (alone, 4)):
        require(
            any(np.array_equal(image, pixels) for image in made.images[1:]),
            f"no cell is the image of {what} prior steps",
        )
    require(not np.array_equal(base(context).pixels, alone), "the axis changes nothing")
    return "2 cells equal"


@by_api.add
def a_script_that_needs_the_hosts_network_is_refused(context: Context) -> str:
    """ "img2img alternative test" is refused in words, and the next run is whole."""
    title = "img2img alternative test"
    body = request(
        context,
        script=False,
        script_name=title,
        # Some hosts tell of an empty text as of none.
        script_args=[
            "" if argument["value"] is None else argument["value"]
            for argument in arguments_of(context, title)
        ],
        init_images=[as_text(base(context).pixels)],
        alwayson_scripts=other_script(),
    )
    said = context.host.refused("/sdapi/v1/img2img", body)
    require("runs the network of a Stable Diffusion model itself" in said, said)
    require_base_again(context)
    return "named, with what to do"


@by_api.add
def what_has_no_effect_is_named(context: Context) -> str:
    """An extension that is on and changes Stable Diffusion's network, and settings of its sampling,
    are named below the image, which is as without them.
    """

    def remarks(arguments: list[Any], **settings: Any) -> list[str]:
        made = context.host.generate(
            request(
                context,
                alwayson_scripts={"ControlNet of the probe": {"args": arguments}},
                override_settings=settings,
            )
        )
        require(np.array_equal(made.pixels, base(context).pixels), "it is another image")
        told: list[str] = context.host.get("/kandinsky-probe/remarks")
        return [one for one in told if "Kandinsky ignores" in one]

    same(remarks([None]), [], "remarks without any")
    same(remarks([{"enabled": False}]), [], "remarks with a unit that is off")
    expected = ["Extensions: Kandinsky ignores ControlNet of the probe."]
    for arguments in ([True], [{"enabled": True}]):
        same(remarks(arguments), expected, f"remarks with {arguments}")
    found = remarks([None], eta_ancestral=0.5)
    name = "Eta for k-diffusion samplers"
    same(found, [f"Settings: Kandinsky ignores {name}."], "remarks with a setting")
    return "an extension by its switch and by its unit, a setting; none where they are off"


@by_api.add
def run_inside_a_run(context: Context) -> str:
    """A detailer's own img2img, in a batch too, gives what the same request gives alone."""
    detail = {"prompt": "a blue square", "denoising_strength": 0.5, "seed": 1}
    body = request(context, batch_size=2, alwayson_scripts={"Probe detailer": {"args": [detail]}})
    made = context.host.generate(body)
    for place in range(2):
        plain = of_the_api(context, seed=1 + place)
        alone = context.host.generate(
            request(context, init_images=[as_text(plain)], **detail), "img2img"
        )
        found = made.images[place - 2]
        require(not np.array_equal(found, plain), "nothing was done")
        require(np.array_equal(found, alone.pixels), f"image {place + 1} is another than alone")
    return "2 of a batch equal"


@on_page.add
def other_scripts_take_the_scripts_settings(browser: Browser) -> str:
    """With "Kandinsky for other scripts" on and no script chosen, the image is the script's."""
    browser.as_requested()
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
