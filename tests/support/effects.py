"""What each option changes: a call on a tiny model, and values that each give another image."""

from collections.abc import Callable
from typing import Any

import numpy as np
from support.built import NATIVE_SIZE

import kandinsky_engine as kandinsky
from kandinsky_engine import Condition, Engine

SIZE = {"width": NATIVE_SIZE, "height": NATIVE_SIZE}
FEW: dict[str, Any] = {**SIZE, "num_inference_steps": 4}
PRIOR: dict[str, Any] = {"prior_num_inference_steps": 2}


def scene(height: int = NATIVE_SIZE, width: int = NATIVE_SIZE, channels: int = 3) -> np.ndarray:
    rows, columns, colours = np.ogrid[:height, :width, :channels]
    return (3 * columns + 2 * rows * (colours + 1) + 40 * colours).astype(np.uint8)


def right_half() -> np.ndarray:
    mask = np.zeros((NATIVE_SIZE, NATIVE_SIZE), np.uint8)
    mask[:, NATIVE_SIZE // 2 :] = 255
    return mask


def generate(engine: Engine, **options: Any) -> np.ndarray:
    return engine.image_to_image(["a red circle"], **{"seeds": [1], **FEW, **PRIOR, **options})


Call = Callable[..., np.ndarray]


def text_to_image(engine: Engine, **options: Any) -> np.ndarray:
    given = {"prompts": ["a red circle"], "seeds": [1], **FEW, **PRIOR, **options}
    return engine.text_to_image(**given)


def denoise(engine: Engine, **options: Any) -> np.ndarray:
    """One image from the first of two rows of embeds."""
    embeds, negative = engine.encode_prompts(["a", "b"], ["c", "d"], seeds=[1, 2], **PRIOR)
    first = [Condition(0, 0, 1, 4)]
    given = {"conditions": first, "negative_conditions": first, "seeds": [1], **FEW, **options}
    return engine.denoise(embeds, negative, **given)


def words(name: str) -> list[str]:
    """All but the default."""
    option = JOB_OPTIONS[name]
    return [word for word in option.words if word != option.default]


JOB_OPTIONS = {
    option.name: option
    for operation in kandinsky.operations()
    if operation != "engine"
    for option in kandinsky.options(operation)
}
FROM_IMAGE: dict[str, Any] = {"images": [scene()], "strength": 0.5}
MASKED: dict[str, Any] = {**FROM_IMAGE, "masks": [right_half()]}
NEGATIVE: dict[str, Any] = {"negative_prompts": ["blue"]}
MORE_PRIOR_STEPS: dict[str, Any] = {"prior_num_inference_steps": 4}
FORECAST: dict[str, Any] = {"forecast": True, "num_inference_steps": 12}
RESIZED: dict[str, Any] = {"seed_resize_width": 128, "seed_resize_height": 128}
NOISE = np.random.default_rng(0).standard_normal((1, 4, 8, 8)).astype(np.float32)
# Of each option: a call, options to compare with, and values that each give something else.
EFFECTS: dict[str, tuple[Call, dict[str, Any], list[Any]]] = {
    "prompts": (text_to_image, {}, [["a blue square"]]),
    "negative_prompts": (text_to_image, {}, [["blue"]]),
    "negative_prior_prompts": (text_to_image, NEGATIVE, [["dark"]]),
    "negative_image": (text_to_image, NEGATIVE, words("negative_image")),
    "prior_num_inference_steps": (text_to_image, {}, [3]),
    "prior_guidance_scale": (text_to_image, {}, [2]),
    "prior_images": (text_to_image, MORE_PRIOR_STEPS, [[scene()], [scene(32, 96)]]),
    "prior_strength": (
        text_to_image,
        {**MORE_PRIOR_STEPS, "prior_images": [scene()]},
        [0.9],
    ),
    "hints": (text_to_image, {"hints": [scene()]}, [[scene(32, 96)]]),
    "hint_start": (text_to_image, {"hints": [scene()]}, [0.5]),
    "hint_end": (text_to_image, {"hints": [scene()]}, [0.5]),
    "parse_weights": (text_to_image, {"prompts": ["a (red:1.5) circle"]}, [False]),
    "long_prompts": (text_to_image, {"prompts": ["circle " * 100]}, [True]),
    "seeds": (text_to_image, {}, [[2]]),
    "width": (text_to_image, {}, [128]),
    "height": (text_to_image, {}, [128]),
    "tiling": (text_to_image, {}, [True]),
    "sampler": (text_to_image, {}, ["Euler", "Heun"]),
    "scheduler": (text_to_image, {"sampler": "Euler"}, ["Karras", "Exponential"]),
    "num_inference_steps": (text_to_image, {}, [5]),
    "guidance_scale": (text_to_image, {}, [7]),
    "guidance_rescale": (text_to_image, {}, [0.7]),
    "preset": (text_to_image, {}, ["fast"]),
    "sigmas": (text_to_image, {}, ["25,5,0.5,0.1", "25,4,0.5,0.1"]),
    "guidance_threshold": (text_to_image, {}, [0.5]),
    "guidance_start": (text_to_image, {}, [0.5]),
    "guidance_end": (text_to_image, {}, [0.5]),
    "cache_interval": (text_to_image, {}, [2]),
    "forecast": (text_to_image, {"num_inference_steps": 8}, [True]),
    "forecast_warmup": (text_to_image, FORECAST, [2]),
    "forecast_interval": (text_to_image, FORECAST, [3]),
    "forecast_growth": (text_to_image, FORECAST, [2]),
    "forecast_blend": (text_to_image, FORECAST, [0.9]),
    "conditions": (denoise, {}, [[Condition(1, 0, 1, 4)]]),
    "negative_conditions": (denoise, {}, [[Condition(1, 0, 1, 4)]]),
    "noise": (text_to_image, {}, [NOISE]),
    "variation_seeds": (
        text_to_image,
        {"variation_seeds": [2], "variation_strength": 0.5},
        [[3]],
    ),
    "variation_strength": (text_to_image, {"variation_seeds": [2]}, [0.5]),
    "seed_resize_width": (text_to_image, RESIZED, [64]),
    "seed_resize_height": (text_to_image, RESIZED, [64]),
    "strength": (generate, FROM_IMAGE, [0.75]),
    "init_noise": (generate, FROM_IMAGE, words("init_noise")),
    "init_latents": (denoise, {}, [NOISE]),
    "mask": (denoise, {"init_latents": NOISE}, [np.eye(8, dtype=np.float32)[None, None]]),
    "images": (generate, FROM_IMAGE, [[255 - scene()]]),
    "resize": (generate, {**FROM_IMAGE, "images": [scene(64, 96)]}, words("resize")),
    "masks": (generate, FROM_IMAGE, [[right_half()]]),
    "invert_mask": (generate, MASKED, [True]),
    "mask_blur": (generate, MASKED, [0]),
    "mask_fill": (generate, MASKED, words("mask_fill")),
    "mask_method": (generate, MASKED, ["blend"]),
    # A blurred border reaches as far as the reference's rule.
    "erode_mask": (generate, {**MASKED, "mask_blur": 0}, [False]),
    "composite": (generate, MASKED, [False]),
    # Of the engine's own, that which changes images.
    "int8_weights": (text_to_image, {}, [True]),
}
