"""The panel that lets other scripts generate with Kandinsky: loopback, outpainting, plots."""

from __future__ import annotations

from typing import Any

from kandinsky_ext import controls, infotext, ui
from kandinsky_ext.host import always_on, base, tools


class KandinskyForOtherScripts(base.Script):  # type: ignore[misc]  # the host has no types
    """A switch and the same controls as the script's own."""

    def title(self) -> str:
        return controls.ALWAYS_ON_TITLE

    def show(self, is_img2img: bool) -> Any:
        return base.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        with tools.input_accordion(self.title(), self.elem_id("enabled")) as enabled:
            components = ui.build(self.elem_id, tools)
        self.infotext_fields = [
            (enabled, infotext.read_always_on),
            *infotext.paste_fields(components),
        ]
        self.paste_field_names = infotext.paste_names()
        return [enabled, *components]

    def setup(self, p: Any, enabled: bool = False, *values: Any) -> None:
        always_on.setup(p, enabled, values)

    def before_process(self, p: Any, *_values: Any) -> None:
        always_on.before_process(p)
