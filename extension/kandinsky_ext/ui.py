"""The widgets, built from the table of controls."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

from kandinsky_ext import components as parts
from kandinsky_ext import engine, models, offers, page_script, status
from kandinsky_ext.controls import AUTOMATIC_MODEL, BY_FIELD, CONTROLS, GROUPS, HOST_CHOICE
from kandinsky_ext.engine import keeper
from kandinsky_ext.rows import Choice, Control, Group, Image, Numbers, Panel, Slider, Switch

ADVANCED = "Advanced"
WHAT_STAYS = "Some 40 to 80 MB of torch stay until the host ends."
"""Measured, see docs/hosts.md."""
KINDS = (Image, Slider, Choice, Numbers, Switch)
"""In the order in which a group shows them."""
ON_DISK = ("models", *parts.FOLDERS.values())
"""Sources that change while the page is open."""


class HostTools(status.HostTools, Protocol):
    """What the page needs from the host."""

    def own_roots(self) -> list[Path]:
        """Those of the folders with models that are for Kandinsky alone."""

    def refresh_button(self, component: Any, choices: Callable[[], list[str]], elem_id: str) -> Any:
        """A button beside `component` that reads its choices anew."""

    def input_accordion(self, label: str, elem_id: str) -> AbstractContextManager[Any]:
        """A panel that is opened to switch something on; gives the component that says so."""

    def explain(self, component: Any, text: str) -> None:
        """Shows the text while the mouse rests on the component."""

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
        **{
            folder: partial(parts.names, folder, tools.own_roots())
            for folder in parts.FOLDERS.values()
        },
    }


def choices(control: Choice, tools: HostTools) -> list[str]:
    """The words that the widget offers now."""
    offered = sources(tools)[control.source]() if control.source else control.choices
    return [control.shown(word) for word in offered]


class Page:
    """What was drawn: the widgets, in the order of CONTROLS, and the panel that may be opened."""

    def __init__(self, components: Mapping[str, Any], advanced: Any) -> None:
        self.components = [components[control.field] for control in CONTROLS]
        self.advanced = advanced


def build(elem_id: Callable[[str], str], tools: HostTools) -> Page:
    """Draws the page. Called several times for each tab."""
    components: dict[str, Any] = {}

    def draw(panel: Panel) -> None:
        for group in GROUPS:
            if group.panel == panel:
                _draw_group(group, components, elem_id, tools)

    with gr.Column(elem_classes=["kandinsky-panel"]):
        status_refresh = _draw_status(elem_id, tools)
        offer = _draw_offer(elem_id, tools)
        draw("main")
        # It keeps an image that the chosen model does not take in sight.
        visible = models.takes_hints(AUTOMATIC_MODEL, tools.model_roots())
        with gr.Column(visible=visible, elem_id=elem_id("hint_panel")) as hint_panel:
            draw("hint")
        mix = BY_FIELD["mix"]
        with tools.input_accordion(mix.label, elem_id(mix.field)) as components[mix.field]:
            tools.explain(components[mix.field], mix.info)
            draw("mixing")
        with gr.Accordion(ADVANCED, open=False, elem_id=elem_id("advanced")) as advanced:
            draw("advanced")
    _connect_offer(components["model"], offer, elem_id, tools)
    _connect_hint(components["model"], components["hint"], hint_panel, tools)
    for button in (status_refresh, components[_refresh_of("model")]):
        _connect_refresh(button, components["model"], offer, hint_panel, tools)
    return Page(components, advanced)


def _draw_group(
    group: Group, components: dict[str, Any], elem_id: Callable[[str], str], tools: HostTools
) -> None:
    kinds = [
        [
            control
            for control in CONTROLS
            if control.group is group
            and isinstance(control, kind)
            and control.field not in components
        ]
        for kind in (KINDS if group.sorted else (KINDS,))
    ]
    if group.heading and any(kinds):
        gr.HTML(
            value=f'<p class="kandinsky-heading"><b>{html.escape(group.heading)}</b>'
            f"<span>{html.escape(group.about)}</span></p>"
        )
    for controls in kinds:
        for at in range(0, len(controls), group.in_a_row):
            with gr.Row(elem_classes=["kandinsky-row"]):
                for control in controls[at : at + group.in_a_row]:
                    _draw_widget(control, components, elem_id, tools)


def _draw_widget(
    control: Control,
    components: dict[str, Any],
    elem_id: Callable[[str], str],
    tools: HostTools,
) -> None:
    if not (isinstance(control, Choice) and control.source in ON_DISK):
        widget = components[control.field] = _widget(control, elem_id, tools)
        tools.explain(widget, control.info)
        return
    # In a row of their own: where there is little room, they wrap together or not at all.
    with gr.Row(elem_classes=["kandinsky-field"]):
        widget = components[control.field] = _widget(control, elem_id, tools)
        tools.explain(widget, control.info)
        name = _refresh_of(control.field)
        components[name] = tools.refresh_button(
            widget, lambda: choices(control, tools), elem_id(name)
        )


def _refresh_of(field: str) -> str:
    """The name of the button beside a widget."""
    return f"{field}_refresh"


def _widget(control: Control, elem_id: Callable[[str], str], tools: HostTools) -> Any:
    shared = {"label": control.label, "elem_id": elem_id(control.field)}
    if isinstance(control, Image):
        # As the file has it: gradio's conversion makes 16 bits white, and RGB what is transparent
        # black.
        return gr.Image(type="pil", image_mode=None, height=200, **shared)
    shared["value"] = control.shown(control.default)
    if isinstance(control, Switch):
        return gr.Checkbox(elem_classes=["kandinsky-switch"], **shared)
    if isinstance(control, Numbers):
        return gr.Textbox(max_lines=1, **shared)
    if isinstance(control, Slider):
        return gr.Slider(
            minimum=control.minimum,
            maximum=control.maximum,
            step=control.step,
            elem_classes=["kandinsky-slider"],
            **shared,
        )
    assert isinstance(control, Choice)
    return gr.Dropdown(
        choices=choices(control, tools),
        # Pasting may bring a model that is not here; a run then says so instead of taking another.
        allow_custom_value=bool(control.source),
        **shared,
    )


def _draw_status(elem_id: Callable[[str], str], tools: HostTools) -> Any:
    """Returns the button that nobody sees."""
    with gr.Row(elem_classes=["kandinsky-status-row"]):
        shown = gr.HTML(value=status.line(tools), elem_id=elem_id("status"))
        unload = gr.Button(value="Unload", size="sm", elem_id=elem_id("unload"))
        # The page's script presses it.
        refresh = gr.Button(value="Refresh", visible=False, elem_id=elem_id("status_refresh"))
    tools.explain(unload, "Frees Kandinsky's memory. The next image loads it again.")
    unload.click(fn=tools.queued(lambda: unloaded_line(tools)), inputs=[], outputs=[shown])
    refresh.click(fn=lambda: status.line(tools), inputs=[], outputs=[shown], show_progress="hidden")
    return refresh


def _draw_offer(elem_id: Callable[[str], str], tools: HostTools) -> tuple[Any, Any, Any, Any]:
    """A line and a button, seen when a model is chosen whose size and CFG scale may not be set; and
    the names of the models that had theirs.
    """
    demo = status.demo_stands_in(tools)
    line = "" if demo is None else offers.demo_line()
    with gr.Row(
        visible=bool(line), elem_id=elem_id("offer"), elem_classes=["kandinsky-offer"]
    ) as row:
        text = gr.HTML(value=line, elem_id=elem_id("offer_text"))
        button = gr.Button(value=offers.BUTTON, size="sm", elem_id=elem_id("offer_set"))
    return row, text, button, gr.State(value=[] if demo is None else [demo.name])


def _connect_offer(
    model: Any, offer: tuple[Any, Any, Any, Any], elem_id: Callable[[str], str], tools: HostTools
) -> None:
    row, text, button, already = offer

    def chosen(name: str, before: list[str]) -> tuple[Any, str, list[str]]:
        line, after = offers.offer(name, before, tools.model_roots())
        return gr.update(visible=bool(line)), line, after

    model.change(fn=chosen, inputs=[model, already], outputs=[row, text, already])
    tab = "img2img" if "img2img" in elem_id("") else "txt2img"
    page_script.on_click(
        button,
        page_script.set_fields(tab, elem_id("offer_text")),
        fn=lambda: gr.update(visible=False),
        inputs=[],
        outputs=[row],
    )


def _connect_hint(model: Any, hint: Any, panel: Any, tools: HostTools) -> None:
    """The panel is seen with a model that needs a hint, and as long as it holds one."""

    def changed(name: str, image: Any) -> Any:
        takes = models.takes_hints(name, tools.model_roots())
        return gr.update(visible=takes or image is not None)

    for component in (model, hint):
        component.change(fn=changed, inputs=[model, hint], outputs=[panel], show_progress="hidden")


def _connect_refresh(
    button: Any, model: Any, offer: tuple[Any, Any, Any, Any], panel: Any, tools: HostTools
) -> None:
    """After a download "Automatic" is another model than the one that was offered when the page was
    built, such as the demo model.
    """
    row, text, _, already = offer

    def refreshed(name: str, before: list[str]) -> tuple[Any, Any, list[str], Any]:
        roots = tools.model_roots()
        found = models.look_up(name, roots)
        # Only shown: it may hold a map that the model before needed.
        shown = gr.update(visible=True) if found and found.takes_hints else gr.update()
        if found is None or not before or found.name in before:
            return gr.update(), gr.update(), before, shown
        line, after = offers.offer(name, before, roots)
        return gr.update(visible=bool(line)), line, after, shown

    button.click(
        fn=refreshed,
        inputs=[model, already],
        outputs=[row, text, already, panel],
        show_progress="hidden",
    )


def unload_engine(tools: HostTools) -> bool:
    """Closes the engine. Returns whether there was one."""
    unloaded = keeper.unload()
    tools.free_memory()
    return unloaded


def unloaded_line(tools: HostTools) -> str:
    """Likewise, and says what happened."""
    unloaded = unload_engine(tools)
    if not unloaded:
        return status.line(tools, "Kandinsky was not loaded.")
    return status.line(tools, "Kandinsky is unloaded.", WHAT_STAYS)
