"""The panel "Get models"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

from kandinsky_ext import page_script
from kandinsky_ext.downloads import RUNNING, downloads, table
from kandinsky_ext.get import known
from kandinsky_ext.phrases import marked

TITLE = "Get models"


class HostTools(Protocol):
    """What the panel needs from the host."""

    def model_roots(self) -> list[Path]:
        """The folders that hold models."""

    def download_folder(self) -> Path:
        """Where new ones go."""

    def may_download(self) -> bool:
        """Whether whoever sees the page may fill the disk."""


def build(elem_id: Callable[[str], str], tools: HostTools) -> None:
    """Draws it. Nothing of it is an argument of a run."""
    names = [model.name for model in known.MODELS]
    with gr.Accordion(TITLE, open=False, elem_id=elem_id("get")):
        models = gr.HTML(value=table(tools.model_roots()), elem_id=elem_id("get_table"))
        with gr.Row(elem_classes=["kandinsky-get"]):
            choice = gr.Dropdown(
                label="Model to get", choices=names, value=names[0], elem_id=elem_id("get_model")
            )
            # Else the host would keep the choice, and the list, in its file of defaults.
            choice.do_not_save_to_config = True
            buttons = {
                name: gr.Button(
                    value=name.capitalize(),
                    size="sm",
                    interactive=name == "refresh" or tools.may_download(),
                    elem_id=elem_id(f"get_{name}"),
                )
                for name in ("download", "pause", "cancel", "refresh")
            }
        status = gr.HTML(value=_status(tools), elem_id=elem_id("get_status"))

    def allowed(function: Callable[..., str]) -> Callable[..., tuple[str, str]]:
        # A visitor may call what a disabled button stands for.
        def call(*given: Any) -> tuple[str, str]:
            text = function(*given) if tools.may_download() else _status(tools)
            return text, table(tools.model_roots())

        return call

    def start(name: Any) -> str:
        return downloads.start(str(name), tools.download_folder())

    watch = page_script.watch(elem_id("get_status"), elem_id("get_refresh"), RUNNING)
    # Hidden: else what is shown would be covered each second.
    shows: dict[str, Any] = {"outputs": [status, models], "show_progress": "hidden"}
    page_script.on_click(buttons["download"], watch, fn=allowed(start), inputs=[choice], **shows)
    for name, function in (("pause", downloads.pause), ("cancel", downloads.cancel)):
        buttons[name].click(fn=allowed(function), inputs=[], **shows)
    page_script.on_click(
        buttons["refresh"], watch, fn=allowed(downloads.status), inputs=[], **shows
    )


def _status(tools: HostTools) -> str:
    """Of the download, or why this page starts none."""
    if tools.may_download():
        return downloads.status()
    folder = tools.download_folder().absolute()
    command = f'python bindings/kandinsky_engine/get 2.1 --to "{folder}"'
    return marked(
        "This page is open to others, so models can be downloaded only on the command line, in the "
        f"extension's folder: {command}"
    )
