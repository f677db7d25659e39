"""Put into the host beside the extension: tells the checks what the host's modules are like inside.

GET  /kandinsky-probe/state    what a run replaces, and the options
GET  /kandinsky-probe/memory   what the process holds, in bytes
GET  /kandinsky-probe/too-much what torch says to an allocation of 25 TB
GET  /kandinsky-probe/remarks  what the last run was told below its images
POST /kandinsky-probe/objects  for each dotted name: whether it is there, and its signature
"""

import importlib
import inspect
import platform
import resource
from importlib import metadata
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from fastapi import Body
from modules import devices, script_callbacks, scripts, sd_models, sd_samplers, shared

PACKAGES = ("torch", "gradio", "numpy", "Pillow", "pydantic")
_remarks: list[str] = []


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"


def state() -> dict[str, Any]:
    functions = {
        f"{module.__name__}.{name}": _name(getattr(module, name))
        for module, names in (
            (sd_models, ("reload_model_weights", "forge_model_reload", "select_checkpoint")),
            (sd_samplers, ("create_sampler",)),
        )
        for name in names
        if hasattr(module, name)
    }
    return {
        "model": type(sd_models.model_data.sd_model).__name__,
        "functions": functions,
        "dtypes": [str(getattr(devices, name, None)) for name in ("dtype", "dtype_vae")],
        "options": {key: repr(value) for key, value in shared.opts.data.items()},
    }


def memory() -> dict[str, int]:
    """Resident, and what of it are pages of files: the system takes them back when it needs to."""
    resident, files = Path("/proc/self/statm").read_text().split()[1:3]
    page = resource.getpagesize()
    return {"resident": int(resident) * page, "files": int(files) * page}


def too_much() -> str:
    try:
        torch.empty(25 * 10**12, dtype=torch.uint8)
    except RuntimeError as error:
        return str(error)
    return ""


class ProbeControlNet(scripts.Script):
    """By its title one of those that change a network. Its argument: a unit, or a switch."""

    def title(self) -> str:
        return "ControlNet of the probe"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        return [gr.JSON(value=None, visible=False, label="Unit")]

    def postprocess(self, p: Any, *_: Any) -> None:
        _remarks[:] = p.comments


def remarks() -> list[str]:
    return _remarks


def versions() -> dict[str, str]:
    return {"Python": platform.python_version(), **{p: metadata.version(p) for p in PACKAGES}}


def _find(dotted: str) -> Any:
    """A name such as modules.shared.opts.add_option: as much of it as imports, then attributes."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[count:]:
            found = getattr(found, attribute)
        return found
    raise AttributeError(dotted)


def _parameters(value: Any) -> list[dict[str, Any]] | None:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    return [
        {"name": p.name, "kind": p.kind.name, "optional": p.default is not p.empty}
        for p in signature.parameters.values()
    ]


def _object(dotted: str) -> dict[str, Any] | None:
    try:
        value = _find(dotted)
    except AttributeError:
        return None
    return {"parameters": _parameters(value) if callable(value) else None}


def objects(names: list[str] = Body(...)) -> dict[str, Any]:  # noqa: B008  fastapi's way
    return {dotted: _object(dotted) for dotted in names}


def _add_routes(_demo: Any, app: Any) -> None:
    app.add_api_route("/kandinsky-probe/state", state, methods=["GET"])
    app.add_api_route("/kandinsky-probe/memory", memory, methods=["GET"])
    app.add_api_route("/kandinsky-probe/too-much", too_much, methods=["GET"])
    app.add_api_route("/kandinsky-probe/remarks", remarks, methods=["GET"])
    app.add_api_route("/kandinsky-probe/versions", versions, methods=["GET"])
    app.add_api_route("/kandinsky-probe/objects", objects, methods=["POST"])


script_callbacks.on_app_started(_add_routes)
