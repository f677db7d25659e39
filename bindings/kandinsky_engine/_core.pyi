"""The engine's calls, one to one; the package around it is the interface to use."""

from collections.abc import Callable, Sequence
from typing import Any

class FloatBuffer:
    """float32 numbers; numpy.asarray() wraps them."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

class ByteBuffer:
    """uint8 numbers; numpy.asarray() wraps them."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

_Progress = Callable[[str, int, int, FloatBuffer | None], int]
_Message = Callable[[str], object]

class Embeds:
    @property
    def batch_size(self) -> int: ...
    def tensor(self, name: str) -> FloatBuffer: ...
    def save(self, path: bytes) -> None: ...
    @staticmethod
    def load(path: bytes) -> Embeds: ...
    def select(self, rows: Sequence[int]) -> Embeds: ...
    @staticmethod
    def combine(
        items: Sequence[Embeds], weights: Sequence[float], text: Embeds | None, method: str
    ) -> Embeds: ...
    @staticmethod
    def concat(items: Sequence[Embeds]) -> Embeds: ...

class Condition:
    def __init__(
        self, row: int, picture: int, first_step: int, last_step: int, weight: float
    ) -> None: ...

class EngineOptions:
    model_dir: bytes
    prior_dir: bytes
    inpaint_dir: bytes | None
    device: str
    precision: str
    max_memory: int
    without: str
    prior_device: str
    int8_weights: bool
    def __init__(self) -> None: ...

class PromptOptions:
    prompts: Sequence[str]
    negative_prompts: Sequence[str] | None
    negative_prior_prompts: Sequence[str] | None
    seeds: Sequence[int]
    prior_num_inference_steps: int
    prior_guidance_scale: float
    negative_image: str
    parse_weights: bool
    long_prompts: bool
    def __init__(self) -> None: ...

class DenoiseOptions:
    width: int
    height: int
    seeds: Sequence[int]
    sampler: str
    scheduler: str
    num_inference_steps: int
    guidance_scale: float
    guidance_rescale: float
    guidance_start: float
    guidance_end: float
    tiling: bool
    noise: object
    variation_seeds: Sequence[int]
    variation_strength: float
    seed_resize_width: int
    seed_resize_height: int
    init_latents: object
    strength: float
    init_noise: str
    mask: object
    mask_method: str
    conditions: Sequence[Condition]
    negative_conditions: Sequence[Condition]
    cache_interval: int
    def __init__(self) -> None: ...

class SourceOptions:
    pictures: Sequence[object]
    """Write only, as are masks."""
    masks: Sequence[object]
    resize: str
    mask_blur: int
    invert_mask: bool
    mask_fill: str
    erode_mask: bool
    composite: bool
    def __init__(self) -> None: ...

class Engine:
    def __init__(self, options: EngineOptions) -> None: ...
    def close(self) -> None: ...
    def cancel(self) -> None: ...
    def unload(self) -> None: ...
    def info(self) -> dict[str, Any]: ...
    def plan_memory(self, width: int, height: int, batch_size: int) -> dict[str, Any]: ...
    def latent_size(self, width: int, height: int) -> tuple[int, int]: ...
    def encode_prompts(
        self, options: PromptOptions, progress: _Progress, message: _Message
    ) -> tuple[Embeds, Embeds]: ...
    def encode_images(
        self, pictures: Sequence[object], progress: _Progress, message: _Message
    ) -> Embeds: ...
    def denoise(
        self,
        embeds: Embeds,
        negative_embeds: Embeds | None,
        options: DenoiseOptions,
        progress: _Progress,
        message: _Message,
    ) -> FloatBuffer: ...
    def decode(
        self,
        latents: object,
        width: int,
        height: int,
        tiling: bool,
        progress: _Progress,
        message: _Message,
    ) -> ByteBuffer: ...
    def encode(
        self, pictures: object, tiling: bool, progress: _Progress, message: _Message
    ) -> FloatBuffer: ...
    def text_to_image(
        self,
        prompts: PromptOptions,
        options: DenoiseOptions,
        progress: _Progress,
        message: _Message,
    ) -> ByteBuffer: ...
    def image_to_image(
        self,
        prompts: PromptOptions,
        options: DenoiseOptions,
        source: SourceOptions,
        progress: _Progress,
        message: _Message,
    ) -> ByteBuffer: ...
    def paint(
        self,
        embeds: Embeds,
        negative_embeds: Embeds | None,
        options: DenoiseOptions,
        source: SourceOptions | None,
        progress: _Progress,
        message: _Message,
    ) -> ByteBuffer: ...

def version() -> str: ...
def torch_version() -> str: ...
def samplers() -> list[str]: ...
def schedulers() -> list[str]: ...
def speedups() -> dict[str, str]: ...
def families() -> list[str]: ...
def describe_folder(path: bytes) -> dict[str, Any]: ...
def load_picture(path: bytes) -> ByteBuffer: ...
def save_picture(path: bytes, array: object, parameters: str) -> None: ...
