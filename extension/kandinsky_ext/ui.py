"""The widgets, built from the table of controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

from kandinsky_ext import engine, models, offers, page_script
from kandinsky_ext.controls import AUTOMATIC_MODEL, CONTROLS, HOST_CHOICE
from kandinsky_ext.rows import Choice, Control, Image, Panel, Slider, Switch

ADVANCED = "Advanced"


class HostTools(Protocol):
    """What the page needs from the host."""

    def model_roots(self) -> list[Any]:
        """The folders that hold models."""

    def is_demo(self, folder: Path) -> bool:
        """Whether this is the shipped demo model."""

    def refresh_button(self, component: Any, choices: Callable[[], list[str]], elem_id: str) -> Any:
        """A button beside `component` that reads its choices anew."""

    def input_accordion(self, label: str, elem_id: str) -> AbstractContextManager[Any]:
        """A panel that is opened to switch something on; gives the component that says so."""

    def queued(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """The function, called only while no image is being made."""

    def free_memory(self) -> None:
        """Gives unused memory back to the system and the accelerator."""


def sources(tools: HostTools) -> dict[str, Callable[[], list[str]]]:
    """What each source of a `Choice` offers now."""
    return {
        "models": lambda: models.names(tools.model_roots()),
        "samplers": lambda: [HOST_CHOICE, *engine.offered("samplers")],
        "schedulers": lambda: [HOST_CHOICE, *engine.offered("schedulers")],
    }


def build(elem_id: Callable[[str], str], tools: HostTools) -> list[Any]:
    """Draws the page and returns the widgets in the order of CONTROLS.

    Called several times for each tab.
    """
    offered = sources(tools)
    components: dict[str, Any] = {}

    def draw(panel: Panel, *first: type[Control]) -> None:
        """The widgets of a panel, two in a row, those of some kinds first and each kind apart."""
        kinds = dict.fromkeys([*first, *(type(control) for control in CONTROLS)])
        for kind in kinds:
            controls = [
                control
                for control in CONTROLS
                if type(control) is kind
                and control.panel == panel
                and control.field not in components
            ]
            for at in range(0, len(controls), 2):
                with gr.Row():
                    for control in controls[at : at + 2]:
                        components[control.field] = _widget(control, elem_id, offered)
                        if isinstance(control, Choice) and control.source == "models":
                            tools.refresh_button(
                                components[control.field],
                                offered["models"],
                                elem_id(f"{control.field}_refresh"),
                            )

    draw("main")
    with tools.input_accordion(_MIX.label, elem_id(_MIX.field)) as components[_MIX.field]:
        draw("mixing", Image)
    with gr.Accordion(ADVANCED, open=False, elem_id=elem_id("advanced")):
        draw("advanced", Choice)
    _offer(components["model"], elem_id, tools)
    with gr.Row():
        unload = gr.Button(value="Unload Kandinsky", size="sm", elem_id=elem_id("unload"))
        status = gr.Markdown(value=status_text(tools), elem_id=elem_id("status"))
    unload.click(fn=tools.queued(lambda: unload_engine(tools)), inputs=[], outputs=[status])
    return [components[control.field] for control in CONTROLS]


def _offer(model: Any, elem_id: Callable[[str], str], tools: HostTools) -> None:
    """A line and a button, seen when a model is chosen whose size and CFG scale may not be set."""
    label, offered = "", list[str]()
    if demo_stands_in(tools) is not None:
        # The status says the rest.
        _, label, offered = offers.offer(AUTOMATIC_MODEL, [], tools.model_roots())
    with gr.Row():
        text = gr.Markdown(value="", visible=False, elem_id=elem_id("offer_text"))
        button = gr.Button(
            value=label, visible=bool(label), size="sm", elem_id=elem_id("offer_set")
        )
    already = gr.State(value=offered)

    def chosen(name: str, before: list[str]) -> tuple[Any, Any, list[str]]:
        line, label, after = offers.offer(name, before, tools.model_roots())
        return (
            gr.update(value=line, visible=bool(line)),
            gr.update(value=label, visible=bool(label)),
            after,
        )

    model.change(fn=chosen, inputs=[model, already], outputs=[text, button, already])
    tab = "img2img" if "img2img" in elem_id("") else "txt2img"
    page_script.on_click(
        button,
        page_script.set_fields(tab),
        fn=lambda _: (gr.update(visible=False), gr.update(visible=False)),
        inputs=[button],
        outputs=[text, button],
    )


_MIX = next(control for control in CONTROLS if control.field == "mix")


def _widget(
    control: Control,
    elem_id: Callable[[str], str],
    sources: Mapping[str, Callable[[], list[str]]],
) -> Any:
    shared = {"label": control.label, "elem_id": elem_id(control.field)}
    if isinstance(control, Image):
        # As the file has it: gradio's conversion makes 16 bits white, and RGB what is transparent
        # black.
        return gr.Image(type="pil", image_mode=None, **shared)
    shared["info"] = control.info
    if isinstance(control, Switch):
        return gr.Checkbox(value=control.default, **shared)
    if isinstance(control, Slider):
        return gr.Slider(
            minimum=control.minimum,
            maximum=control.maximum,
            step=control.step,
            value=control.default,
            **shared,
        )
    assert isinstance(control, Choice)
    return gr.Dropdown(
        choices=sources[control.source]() if control.source else list(control.choices),
        value=control.default,
        # Pasting may bring a model that is not here; a run then says so instead of taking another.
        allow_custom_value=bool(control.source),
        **shared,
    )


def status_text(tools: HostTools) -> str:
    """What stands in the way of an image, or nothing."""
    problem = engine.problem()
    if problem is not None:
        return problem
    roots = tools.model_roots()
    if not models.find(roots):
        return "There is no Kandinsky model. Looked in: " + ", ".join(str(root) for root in roots)
    stands_in = demo_stands_in(tools)
    return "" if stands_in is None else offers.demo_line(stands_in.name)


def demo_stands_in(tools: HostTools) -> models.Model | None:
    """The demo model, where "Automatic" finds no other."""
    first = next(iter(models.find(tools.model_roots())), None)
    return first if first is not None and tools.is_demo(first.folder) else None


def unload_engine(tools: HostTools) -> str:
    """Closes the engine and says what happened."""
    unloaded = engine.keeper.unload()
    tools.free_memory()
    return "Kandinsky is unloaded." if unloaded else "Kandinsky was not loaded."
