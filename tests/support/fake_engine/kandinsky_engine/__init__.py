"""The engine's Python interface without an engine: fast, plain images that depend on all that
should matter.

Every call is recorded in Engine.calls. "prior" and "image_encoder" there are the rows and images
that a call had to compute, because they were not in the engine's cache.

Latents hold an image directly: channels 0..2 are its colours / 255, one number for 8 x 8 pixels,
channel 3 is noise.
"""

from kandinsky_engine.embeds import Condition, Embeds
from kandinsky_engine.engine import Engine, Info, MemoryPlan, Option, options
from kandinsky_engine.errors import (
    CancelledError,
    IncompatibleError,
    InvalidArgumentError,
    KandinskyError,
    NotFoundError,
)
from kandinsky_engine.folders import Folder, describe_folder, folder_digest, recognize_folder
from kandinsky_engine.progress import Action, Progress
from kandinsky_engine.tables import (
    SAMPLERS,
    SCHEDULERS,
    families,
    levels,
    presets,
    samplers,
    schedulers,
)

__version__ = "0.0.0"

__all__ = [
    "SAMPLERS",
    "SCHEDULERS",
    "Action",
    "CancelledError",
    "Condition",
    "Embeds",
    "Engine",
    "Folder",
    "IncompatibleError",
    "Info",
    "InvalidArgumentError",
    "KandinskyError",
    "MemoryPlan",
    "NotFoundError",
    "Option",
    "Progress",
    "describe_folder",
    "families",
    "folder_digest",
    "levels",
    "options",
    "presets",
    "recognize_folder",
    "samplers",
    "schedulers",
]
