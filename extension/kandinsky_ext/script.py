"""The entry in the host's Script dropdown."""

from __future__ import annotations

from typing import Any

import gradio as gr

from kandinsky_ext import controls, get_panel, infotext, ui
from kandinsky_ext.host import base, run, tools


class KandinskyScript(base.Script):  # type: ignore[misc]  # the host has no types
    """Generates with Kandinsky where the host would generate with Stable Diffusion."""

    def title(self) -> str:
        return controls.TITLE

    def show(self, is_img2img: bool) -> bool:
        return True

    def ui(self, is_img2img: bool) -> list[Any]:
        page = ui.build(self.elem_id, tools)
        get_panel.build(self.elem_id, tools)
        tools.add_choosing(self.title(), is_img2img, self.elem_id("choose"))
        self.infotext_fields = [*infotext.paste_fields(page.components), (page.advanced, _opened)]
        self.paste_field_names = infotext.sent_keys()
        return page.components

    def run(self, p: Any, *values: Any) -> Any:
        return run.run(p, values)


def _opened(parameters: Any) -> Any:
    return gr.update(open=True) if infotext.opens_advanced(parameters) else None
