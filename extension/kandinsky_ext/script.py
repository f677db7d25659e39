"""The entry in the host's Script dropdown."""

from __future__ import annotations

from typing import Any

from kandinsky_ext import controls, get_panel, infotext, ui
from kandinsky_ext.host import base, run, tools


class KandinskyScript(base.Script):  # type: ignore[misc]  # the host has no types
    """Generates with Kandinsky where the host would generate with Stable Diffusion."""

    def title(self) -> str:
        return controls.TITLE

    def show(self, is_img2img: bool) -> bool:
        return True

    def ui(self, is_img2img: bool) -> list[Any]:
        components = ui.build(self.elem_id, tools)
        get_panel.build(self.elem_id, tools)
        self.infotext_fields = infotext.paste_fields(components)
        self.paste_field_names = infotext.paste_names()
        return components

    def run(self, p: Any, *values: Any) -> Any:
        return run.run(p, values)
