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
    def save(self, path: str) -> None: ...
    @staticmethod
    def load(path: str) -> Embeds: ...
    @staticmethod
    def combine(items: Sequence[Embeds], weights: Sequence[float]) -> Embeds: ...

class Engine:
    def __init__(self, model_dir: str, prior_dir: str, device: str, precision: str) -> None: ...
    def close(self) -> None: ...
    def cancel(self) -> None: ...
    def unload(self) -> None: ...
    def info(self) -> dict[str, Any]: ...
    def latent_size(self, width: int, height: int) -> tuple[int, int]: ...
    def encode_prompts(
        self,
        prompts: Sequence[str],
        negative_prompts: Sequence[str] | None,
        seeds: Sequence[int],
        prior_num_inference_steps: int,
        prior_guidance_scale: float,
        progress: _Progress,
        message: _Message,
    ) -> tuple[Embeds, Embeds]: ...
    def denoise(
        self,
        embeds: Embeds,
        negative_embeds: Embeds | None,
        width: int,
        height: int,
        seeds: Sequence[int],
        sampler: str,
        num_inference_steps: int,
        guidance_scale: float,
        noise: object,
        progress: _Progress,
        message: _Message,
    ) -> FloatBuffer: ...
    def decode(
        self,
        latents: object,
        width: int,
        height: int,
        progress: _Progress,
        message: _Message,
    ) -> ByteBuffer: ...
    def encode(self, pictures: object, progress: _Progress, message: _Message) -> FloatBuffer: ...
    def text_to_image(
        self,
        prompts: Sequence[str],
        negative_prompts: Sequence[str] | None,
        seeds: Sequence[int],
        width: int,
        height: int,
        prior_num_inference_steps: int,
        prior_guidance_scale: float,
        sampler: str,
        num_inference_steps: int,
        guidance_scale: float,
        progress: _Progress,
        message: _Message,
    ) -> ByteBuffer: ...

def version() -> str: ...
def torch_version() -> str: ...
def samplers() -> list[str]: ...
def families() -> list[str]: ...
def describe_folder(path: str) -> dict[str, Any]: ...
def save_picture(path: str, array: object, parameters: str) -> None: ...
