"""The widgets, built from the table of controls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import gradio as gr

from kandinsky_ext import engine, models
from kandinsky_ext.controls import CONTROLS, Choice, Slider


class HostTools(Protocol):
    """What the page needs from the host."""

    def model_roots(self) -> list[Any]:
        """The folders that hold models."""

    def refresh_button(self, component: Any, choices: Callable[[], list[str]], elem_id: str) -> Any:
        """A button beside `component` that reads its choices anew."""

    def queued(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """The function, called only while no picture is being made."""

    def free_memory(self) -> None:
        """Gives unused memory back to the system and the accelerator."""


def build(elem_id: Callable[[str], str], tools: HostTools) -> list[Any]:
    """Draws the page and returns the widgets in the order of CONTROLS.

    Called several times for each tab.
    """

    def model_names() -> list[str]:
        return models.names(tools.model_roots())

    components = {}
    with gr.Row():
        for control in CONTROLS:
            if isinstance(control, Slider):
                components[control.field] = gr.Slider(
                    minimum=control.minimum,
                    maximum=control.maximum,
                    step=control.step,
                    value=control.default,
                    label=control.label,
                    info=control.info,
                    elem_id=elem_id(control.field),
                )
    with gr.Row():
        for control in CONTROLS:
            if isinstance(control, Choice):
                components[control.field] = gr.Dropdown(
                    choices=list(control.choices) or model_names(),
                    value=control.default,
                    label=control.label,
                    info=control.info,
                    # Pasting may bring a model that is not here; a run then says so instead of
                    # taking another.
                    allow_custom_value=not control.choices,
                    elem_id=elem_id(control.field),
                )
                if not control.choices:
                    tools.refresh_button(
                        components[control.field], model_names, elem_id(f"{control.field}_refresh")
                    )
    with gr.Row():
        unload = gr.Button(value="Unload Kandinsky", size="sm", elem_id=elem_id("unload"))
        status = gr.Markdown(value=status_text(tools), elem_id=elem_id("status"))
    unload.click(fn=tools.queued(lambda: unload_engine(tools)), inputs=[], outputs=[status])
    return [components[control.field] for control in CONTROLS]


def status_text(tools: HostTools) -> str:
    """What stands in the way of a picture, or nothing."""
    problem = engine.problem()
    if problem is not None:
        return problem
    roots = tools.model_roots()
    if not models.find(roots):
        return "There is no Kandinsky model. Looked in: " + ", ".join(str(root) for root in roots)
    return ""


def unload_engine(tools: HostTools) -> str:
    """Closes the engine and says what happened."""
    unloaded = engine.keeper.unload()
    tools.free_memory()
    return "Kandinsky is unloaded." if unloaded else "Kandinsky was not loaded."
