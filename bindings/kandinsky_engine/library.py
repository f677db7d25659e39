"""The engine's lists, and the contents of model folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kandinsky_engine import _arguments
from kandinsky_engine._load import core


@dataclass(frozen=True)
class Component:
    """One part of a model folder."""

    name: str
    class_name: str
    dtype: str
    """Of the weights: "fp32", "fp16", "bf16", "mixed", or "" for a component without weights."""
    tensors: int
    parameters: int
    bytes: int
    is_checked: bool
    """Whether everything that a job needs was checked, except the values of its weights; else no
    job needs it, or the family is unknown."""


@dataclass(frozen=True)
class Folder:
    """The contents of a model folder in diffusers' folder layout."""

    pipeline: str
    family: str
    """The folder's model family, or "" if unknown."""
    native_size: int
    """Side in pixels of the images that the model was trained on; 0 for a prior folder, and
    without a family."""
    components: list[Component]


def samplers() -> dict[str, str]:
    """Names of all samplers, as in hosts, with a description of each. By default the model's own is
    used: `EngineInfo.own_sampler`."""
    return core.samplers()


def schedulers() -> dict[str, str]:
    """Names of all schedulers, the spacings of noise levels, with a description of each."""
    return core.schedulers()


def speedups() -> dict[str, str]:
    """Names of all speed-ups, with a description of each.

    A speed-up computes the plain formulas faster, with the same result up to rounding.
    """
    return core.speedups()


@dataclass(frozen=True)
class Option:
    """A keyword of Engine or of one of its methods."""

    name: str
    type: str
    """"flag", "integer", "number", "text", "path", "texts", "paths", "seeds", "floats", "images" or
    "conditions"."""
    group: str
    """Heading for a page or a help text, e.g. "Sampling"."""
    default: str | None
    """As text; None without a default value, as for lists."""
    minimum: float | None
    """Of integers and numbers, as is maximum."""
    maximum: float | None
    words: list[str]
    """Allowed values of a text; [] for any."""
    unit: str
    help: str
    source: str
    """Of the formula or the meaning; "" if it is the engine's own."""


def operations() -> list[str]:
    """ "engine" for Engine itself, and the names of its methods with options."""
    return core.operations()


def options(operation: str) -> list[Option]:
    """The options of one of operations(), in the order of the engine's table."""
    return [Option(**option) for option in core.options(_arguments.text("operation", operation))]


def presets() -> dict[str, dict[str, bool | int | float | str]]:
    """Each word of the option `preset`, and its values for options that are not given."""
    read: dict[str, Callable[[str], bool | int | float | str]] = {
        "flag": lambda text: text == "true",
        "integer": int,
        "number": float,
        "text": str,
    }
    rows = [row for row in options("image_to_image") if row.default is not None]
    found = {}
    for name in next(row for row in rows if row.name == "preset").words:
        chosen = core.Options("image_to_image")
        chosen.set_text("preset", name)
        found[name] = {
            row.name: read[row.type](text)
            for row in rows
            if row.name != "preset" and (text := chosen.text(row.name)) != row.default
        }
    return found


def families() -> list[str]:
    """Names of all model families."""
    return core.families()


def recognize_folder(path: _arguments.AnyPath) -> tuple[str, str]:
    """A folder's family and role, from its model_index.json alone.

    The family is "" if unknown. The role is "model" for a folder to open an engine
    with, "hint" for one that needs hints, "inpaint" for one that adds an inpainting UNet to
    a model, "prior", or "". For a missing or corrupt index it raises as opening an engine would.
    """
    return core.recognize_folder(_arguments.path("path", path))


def folder_digest(path: _arguments.AnyPath) -> str:
    """A hash of the weights in a model folder, independent of folder and file names.

    The SHA-256, in 64 digits, over the files that an engine would load: the name, type, shape and
    first 4 KiB of each tensor and, of each file, the size and 256 evenly spaced blocks of 4 KiB.
    Raises NotFoundError for a folder without weights.
    """
    return core.folder_digest(_arguments.path("path", path))


def describe_folder(path: _arguments.AnyPath) -> Folder:
    """Reads a folder's index, configs, file headers and tokenizers, no weights.

    Raises as opening an engine on it would.
    """
    found = core.describe_folder(_arguments.path("path", path))
    components = [Component(**component) for component in found.pop("components")]
    return Folder(components=components, **found)
