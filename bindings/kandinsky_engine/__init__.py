"""Generates images from texts with Kandinsky models.

    import kandinsky_engine as kandinsky

    with kandinsky.Engine("models/Kandinsky/kandinsky-2-1") as engine:
        images = engine.text_to_image(["a red circle"], seeds=[1], width=512, height=512)
    kandinsky.save_image("circle.png", images[0])

The engine works in stages, each a method of Engine: encode_prompts or encode_images, denoise,
decode, encode; text_to_image, image_to_image and generate run several in a row. Their keywords
are explained in TextToImageOptions and similar classes, and options() lists them. Images are uint8
[B, H, W, 3], RGB; latents are float32 [B, 4, h, w]. All errors are KandinskyErrors.

Importing this package imports torch and raises ImportError if the engine was built for another
version.
"""

from kandinsky_engine.errors import (
    BusyError,
    CancelledError,
    CorruptFileError,
    IncompatibleError,
    InternalError,
    InvalidArgumentError,
    IoError,
    KandinskyError,
    NotFoundError,
    OutOfMemoryError,
    UnsupportedError,
)

# _load comes first: it says what is wrong where the other modules would only fail.
from kandinsky_engine._load import core  # isort: skip
from kandinsky_engine.embeds import Embeds  # isort: skip
from kandinsky_engine.engine import Engine, EngineInfo, MemoryPlan  # isort: skip
from kandinsky_engine.library import (  # isort: skip
    Component,
    Folder,
    Option,
    describe_folder,
    families,
    folder_digest,
    operations,
    options,
    presets,
    recognize_folder,
    samplers,
    schedulers,
    speedups,
)
from kandinsky_engine.conditions import Condition  # isort: skip
from kandinsky_engine.keywords import (  # isort: skip
    DecodeOptions,
    DenoiseOptions,
    EncodeOptions,
    EncodePromptsOptions,
    EngineOptions,
    GenerateOptions,
    ImageToImageOptions,
    TextToImageOptions,
)
from kandinsky_engine.images import load_image, save_image  # isort: skip
from kandinsky_engine.progress import Action, Progress  # isort: skip

__version__: str = core.version()
torch_version: str = core.torch_version()

__all__ = [
    "Action",
    "BusyError",
    "CancelledError",
    "Component",
    "Condition",
    "CorruptFileError",
    "DecodeOptions",
    "DenoiseOptions",
    "Embeds",
    "EncodeOptions",
    "EncodePromptsOptions",
    "Engine",
    "EngineInfo",
    "EngineOptions",
    "Folder",
    "GenerateOptions",
    "ImageToImageOptions",
    "IncompatibleError",
    "InternalError",
    "InvalidArgumentError",
    "IoError",
    "KandinskyError",
    "MemoryPlan",
    "NotFoundError",
    "Option",
    "OutOfMemoryError",
    "Progress",
    "TextToImageOptions",
    "UnsupportedError",
    "__version__",
    "describe_folder",
    "families",
    "folder_digest",
    "load_image",
    "operations",
    "options",
    "presets",
    "recognize_folder",
    "samplers",
    "save_image",
    "schedulers",
    "speedups",
    "torch_version",
]
