"""The switch that lets other scripts generate with Kandinsky: loopback, outpainting, plots."""

from __future__ import annotations

from typing import Any

import gradio as gr

from kandinsky_ext import controls, infotext
from kandinsky_ext.host import always_on, base, tools

ABOUT = (
    "X/Y/Z plot, loopback, SD upscale, detailers and other scripts generate with Kandinsky, using "
    'the settings of the script "Kandinsky" in this tab.'
)


class KandinskyForOtherScripts(base.Script):  # type: ignore[misc]  # the host has no types
    """A switch. The controls are the script's own; programs may send others beside it."""

    def title(self) -> str:
        return controls.ALWAYS_ON_TITLE

    def show(self, is_img2img: bool) -> Any:
        return base.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        with tools.input_accordion(self.title(), self.elem_id("enabled")) as enabled:
            gr.HTML(value=f'<p class="kandinsky-about">{ABOUT}</p>')
            # Nothing of the page's: an argument of the web API.
            given = gr.JSON(
                value=None, visible=False, label="Controls", elem_id=self.elem_id("controls")
            )
        tools.explain(enabled, ABOUT)
        self.infotext_fields = [
            (enabled, infotext.read_always_on),
            (enabled, f"{infotext.SENT} {self.title()}"),
        ]
        self.paste_field_names = [f"{infotext.SENT} {self.title()}"]
        return [enabled, given]

    def setup(self, p: Any, enabled: bool = False, given: Any = None, *_: Any) -> None:
        always_on.setup(p, enabled, given)

    def before_process(self, p: Any, *_values: Any) -> None:
        always_on.before_process(p)
