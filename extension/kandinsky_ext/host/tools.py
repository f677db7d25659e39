"""What the page and a run need from the host: folders, device, buttons, memory."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
import torch
from modules import (
    call_queue,
    devices,
    paths_internal,
    scripts,
    sd_samplers,
    shared,
    ui_common,
    ui_components,
)

from kandinsky_ext import get
from kandinsky_ext.engine_folder import ROOT
from kandinsky_ext.host import options

ONEDNN_PLACES = 1024
"""Of its cache, by default; source: oneDNN, "Primitive Cache"."""
MODELS_FOLDER = "Kandinsky"
NO_OVERRIDES: Mapping[str, Any] = MappingProxyType({})
DEMO_FOLDER = ROOT / "demo" / "model"


def model_roots(overrides: Mapping[str, Any] = NO_OVERRIDES) -> list[Path]:
    """The folders that may hold models, whether they are there or not, in the order in which they
    count: --kandinsky-dir if given, <models>/Kandinsky, those of the settings, what other programs
    have downloaded (SD.Next, kubin beside the host, huggingface_hub), and the shipped demo model's
    folder. overrides: settings of the host's that are others for one run.
    """
    hosts = Path(paths_internal.models_path)
    return [
        *own_roots(overrides),
        hosts / "Diffusers",
        hosts.absolute().parent.parent / "kubin" / "models",
        get.found.hub_cache(),
        DEMO_FOLDER,
    ]


def own_roots(overrides: Mapping[str, Any] = NO_OVERRIDES) -> list[Path]:
    """Those of them that are for Kandinsky alone."""
    given = getattr(shared.cmd_opts, "kandinsky_dir", None)
    first = [*([Path(given).expanduser()] if given else []), download_folder()]
    return [*first, *options.folders(overrides)]


def download_folder() -> Path:
    """Where downloaded models go."""
    return Path(paths_internal.models_path) / MODELS_FOLDER


def prepared_folder() -> Path:
    """Where the engine may keep weights in its own form: on the disk that has room for models."""
    return download_folder() / ".prepared"


def may_download() -> bool:
    """Not where the host itself installs nothing, since its page is open to others."""
    return not getattr(shared.cmd_opts, "disable_extension_access", False)


def is_demo(folder: Path) -> bool:
    """Whether this is the shipped demo model, which stands in where there is no other."""
    return folder.parent == DEMO_FOLDER


def device() -> tuple[str, str | None]:
    """The host's device in the engine's words, and a remark if the engine cannot use it."""
    chosen = devices.device
    if chosen.type in ("cpu", "cuda"):
        return str(chosen), None
    return "cpu", f'Device: Kandinsky cannot use "{chosen}" and computes on the CPU.'


def sampler_names() -> set[str]:
    """What the host's field for the sampler may say."""
    return {sampler.name for sampler in sd_samplers.all_samplers}


def refresh_button(component: Any, choices: Callable[[], list[str]], elem_id: str) -> Any:
    """The host's small button that reads a dropdown's choices anew."""
    return ui_common.create_refresh_button(
        component, lambda: None, lambda: {"choices": choices()}, elem_id
    )


def explain(component: Any, text: str) -> None:
    """A tooltip, in the host's way, which translates it, too."""
    if text:
        getattr(component, "accordion", component).webui_tooltip = text


def add_choosing(title: str, is_img2img: bool, elem_id: str) -> None:
    """A button that nobody sees, for the page's script: it chooses the script of this title."""
    runner = scripts.scripts_img2img if is_img2img else scripts.scripts_txt2img
    dropdown = runner.inputs[0] if runner is not None else None
    # The web API draws a script, too, without the page around it.
    if dropdown is None or dropdown._id not in gr.context.Context.root_block.blocks:
        return
    button = gr.Button(value="Choose", visible=False, elem_id=elem_id)
    button.click(fn=lambda: title, inputs=[], outputs=[dropdown], show_progress="hidden")


@contextmanager
def input_accordion(label: str, elem_id: str) -> Iterator[Any]:
    """The host's accordion that is switched on by opening it; gives its checkbox."""
    with ui_components.InputAccordion(False, label=label, elem_id=elem_id) as switch:
        yield switch


def queued(function: Callable[[], Any]) -> Callable[[], Any]:
    """The function under the lock that all runs take."""
    wrapped: Callable[[], Any] = call_queue.wrap_queued_call(function)
    return wrapped


def when_free(function: Callable[[], Any]) -> None:
    """Calls the function under the lock that all runs take: now if it is free, else on a thread
    that waits for it.
    """
    if not call_queue.queue_lock.acquire(blocking=False):
        threading.Thread(target=queued(function), daemon=True).start()
        return
    try:
        function()
    finally:
        call_queue.queue_lock.release()


def note(text: str) -> None:
    """A note for the person at the page, or a warning where no page asked."""
    gr.Warning(text)


def free_memory() -> None:
    """Collects garbage, empties the caches of oneDNN and the accelerator, and gives what C
    libraries have freed back to the system, which glibc else keeps: as much as the weights of a
    small model.
    """
    gc.collect()
    devices.torch_gc()
    _empty_onednn_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _empty_onednn_cache() -> None:
    """oneDNN keeps what it has prepared for the shapes used last, 0.3 MB for one of a matrix
    product, and torch has no call that frees it. So small shapes take all places, in 0.1 s and with
    15 MB. What the host needs again is prepared again, in a few milliseconds.
    """
    if not torch.backends.mkldnn.is_available():
        return
    with suppress(RuntimeError):  # a mode or a default of the host's may forbid it
        for size in range(1, ONEDNN_PLACES + 1):
            torch.empty(size, dtype=torch.float32, device="cpu").to_mkldnn()
