"""The keywords of Engine and its methods, from the engine's table of options.

Made by tests/tools/make_keywords.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsFloat, SupportsIndex, TypedDict

from kandinsky_engine._arguments import AnyPath
from kandinsky_engine._arrays import AnyArray
from kandinsky_engine.conditions import Condition


class _Engine(TypedDict, total=False):
    inpaint_dir: AnyPath | None
    """Inpainting model's folder. Default: <model>-inpaint in the same places, if there is one; for
    Kandinsky 2.2 found as the prior is; "": none."""
    companion_dirs: Iterable[AnyPath] | None
    """More folders in which to look for the prior and the inpainting model, after the model's own;
    each may be a cache of the Hugging Face hub."""
    unet: AnyPath | None
    """UNet to use instead of the model's own: a component's folder, a model folder that has one, or
    a weight file with diffusers' tensor names for the model's own config."""
    movq: AnyPath | None
    """MoVQ to use instead of the model's own; values as for the UNet."""
    text_encoder: AnyPath | None
    """The decoder's text encoder to use instead of the model's own; values as for the UNet."""
    prior_model: AnyPath | None
    """The prior's network to use instead of the model's own; values as for the UNet."""
    prior_text_encoder: AnyPath | None
    """The prior's text encoder to use instead of the model's own; values as for the UNet."""
    image_encoder: AnyPath | None
    """Image encoder to use instead of the model's own; values as for the UNet."""
    loras: Iterable[AnyPath] | None
    """LoRA files to merge into the UNet or the prior at loading, each as FILE or FILE:WEIGHT, such
    as style.safetensors:0.8. Source: diffusers, PEFT."""
    device: str
    """Device to compute on: cpu, cuda, cuda:1, ..., or auto: an accelerator if there is one.
    Default "auto"."""
    precision: str
    """Data type of weights and activations. auto: chosen for the device; fp16 needs an accelerator.
    "auto", "fp32", "bf16", "fp16". Default "auto"."""
    prior_device: str | None
    """Device of the prior, the text encoder and the image encoder, such as cpu beside a small GPU;
    their precision is chosen for it. Default: device."""
    int8_weights: bool
    """Hold the matrices of the prior and the text encoder in int8 with a scale for each row: half
    the memory of bf16, slightly different images. Streamed weights stay exact. Default False."""
    max_memory: SupportsIndex
    """Memory limit of a job, libraries included. If the whole model needs more, weights are loaded
    one stage at a time, or read layer by layer. 0: the free memory when the job begins. No effect
    on an accelerator. 0 or more bytes. Default 0."""
    prepared_weights: AnyPath | None
    """Folder that keeps weights in the form in which this machine computes with them, so that later
    starts are faster. It becomes about as large as the loaded model, for each model and precision,
    and may be deleted at any time. Default: none. No effect on an accelerator, on streamed weights
    and with LoRAs."""
    prepared_weights_size: SupportsIndex
    """Limit of the folder of prepared weights, 20 GB by default: the files used longest ago are
    deleted, those used in the last hour never; what does not fit beside them is not kept. 0 or more
    bytes. Default 20000000000."""
    without: Iterable[str] | None
    """Names of speed-ups to disable, for measuring and debugging. "packed-weights",
    "stored-matrices", "fused-operations", "fused-norms", "row-bands", "latent-grid-norms",
    "winograd", "split-upsampling", "batched-attention", "tiled-attention", "skipped-padding",
    "prior-kv-cache", "prior-batches", "context-kv-cache", "shared-start", "images-at-once",
    "prompt-cache"."""


class _EncodePromptsTextToImageImageToImage(TypedDict, total=False):
    negative_prior_prompts: Iterable[str] | None
    """Negative prompt of each image for the prior alone. Default: negative_prompts."""
    negative_image: str
    """Image embedding of the negative embeds. zero: that of an image of zeros, which does not
    change colours; prior: the prior's result for the negative prompt, even an empty one, and zero
    without a negative prompt, as in diffusers. "zero", "prior". Default "zero". Source: diffusers,
    KandinskyPriorPipeline."""
    prior_num_inference_steps: SupportsIndex
    """Denoising steps of the diffusion prior (prompt -> image embedding). 2 to 1000 steps. Default
    25. Source: diffusers, KandinskyPriorPipeline."""
    prior_guidance_scale: SupportsFloat
    """Classifier-free guidance of the diffusion prior; 1 and less: off. 0 to 100. Default 4.
    Source: diffusers, KandinskyPriorPipeline."""
    prior_images: Iterable[AnyArray] | None
    """Images whose embeddings the prior starts from instead of noise: 1 for the whole batch, or one
    for each. Default: none. Source: diffusers, KandinskyV22PriorEmb2EmbPipeline."""
    prior_strength: SupportsFloat
    """Fraction of the prior's steps that run on the prior images: lower values keep the image
    embedding closer to theirs; at least one step must run. 0 to 1. Default 0.3. Source: diffusers,
    KandinskyV22PriorEmb2EmbPipeline."""
    parse_weights: bool
    """(word), (word:1.3), [word] and BREAK set weights as in web UIs; off: prompts are plain text.
    Default True. Source: Automatic1111, parse_prompt_attention."""
    long_prompts: bool
    """Encode prompts of more than 75 tokens in chunks of 75; off: tokens after the first 75 are cut
    off. Default False. Source: Automatic1111."""


class _EncodePromptsDenoiseTextToImageImageToImageGenerate(TypedDict, total=False):
    preset: str
    """Values for options that are not given: exact changes nothing, balanced, fast and draft are
    each faster and less exact than the one before; see docs/presets.md. "exact", "balanced",
    "fast", "draft". Default "exact"."""


class _DenoiseDecodeEncodeTextToImageImageToImageGenerate(TypedDict, total=False):
    tiling: bool
    """Seamlessly tileable images; width and height must be multiples of 64. Default False."""


class _DenoiseTextToImageImageToImageGenerate(TypedDict, total=False):
    sampler: str
    """Sampling algorithm, in upper or lower case. Automatic: that of the model's
    scheduler_config.json, DDIM for Kandinsky 2.1 and DDPM for 2.2. "Automatic", "DDIM", "DDPM",
    "Euler", "Euler a", "Heun", "LMS", "DPM2", "DPM2 a", "DPM++ 2S a", "DPM++ 2M", "DPM++ SDE",
    "DPM++ 2M SDE", "DPM++ 3M SDE", "UniPC". Default "Automatic"."""
    scheduler: str
    """Spacing of the sampler's noise levels, in upper or lower case. "Automatic", "Uniform",
    "Karras", "Exponential", "Polyexponential", "SGM Uniform", "Beta", "KL Optimal", "Align Your
    Steps", "Simple", "Normal", "DDIM", "Optimized". Default "Automatic"."""
    num_inference_steps: SupportsIndex
    """Denoising steps of the decoder; some samplers take 999 at most. 1 to 1000 steps. Default
    50."""
    sigmas: str | None
    """Noise levels of the steps, such as "14.6, 6.5, 2.7, 0.5": noise per unit of clean latents,
    falling, without the final 0. They replace the scheduler and the number of steps. Default: none.
    Source: diffusers, set_timesteps."""
    guidance_scale: SupportsFloat
    """Classifier-free guidance of the decoder; 1 and less: off. 0 to 100. Default 4. Source:
    arXiv:2207.12598."""
    guidance_rescale: SupportsFloat
    """Rescales the guided prediction towards the conditional one's standard deviation, against too
    much contrast; 0: off. 0 to 1. Default 0. Source: diffusers, rescale_noise_cfg."""
    guidance_start: SupportsFloat
    """Fraction of the steps before which there is no guidance. 0 to 1. Default 0."""
    guidance_end: SupportsFloat
    """Fraction of the steps after which there is no guidance. 0 to 1. Default 1."""
    guidance_threshold: SupportsFloat
    """Guidance ends for an image once the clean latents predicted with and without the prompt reach
    this cosine similarity; steps without guidance take half the time. An approximation. 1: off. 0
    to 1. Default 1. Source: arXiv:2312.12487 (adaptive guidance)."""
    cache_interval: SupportsIndex
    """Run the inner levels of the UNet only in every n-th evaluation and reuse their output in the
    others; an approximation: 2 takes about three fifths of the time. 1: off. 1 to 100 evaluations.
    Default 1. Source: DeepCache (CVPR 2024)."""
    forecast: bool
    """Extrapolate the guided prediction of some steps from earlier ones, without running the UNet;
    an approximation: of 20 steps 11 are computed, of 50 steps 19. Needs a sampler that runs the
    UNet once per step, and no feature cache. Default False. Source: Spectrum, arXiv:2603.01623."""
    forecast_warmup: SupportsIndex
    """Steps that forecast computes before its first extrapolation. 2 to 1000 steps. Default 4.
    Source: Spectrum, arXiv:2603.01623."""
    forecast_interval: SupportsFloat
    """After the warm-up, forecast computes every n-th step. 1 to 100 steps. Default 2. Source:
    Spectrum, arXiv:2603.01623."""
    forecast_growth: SupportsFloat
    """Each computed step adds this to the forecast interval. 0 to 10 steps. Default 0.5. Source:
    Spectrum, arXiv:2603.01623."""
    forecast_blend: SupportsFloat
    """Weight of the polynomial in the extrapolation; the rest is the line through the last two
    predictions. 0 to 1. Default 0.4. Source: Spectrum, arXiv:2603.01623."""
    conditions: Iterable[Condition] | None
    """Rows of embeds that guide an image during some steps. Default: row i guides image i in all of
    them. Source: arXiv:2206.01714 (composable diffusion)."""
    negative_conditions: Iterable[Condition] | None
    """The same for the negative embeds."""
    hints: Iterable[AnyArray] | None
    """Depth maps, near bright and far dark; required by models with depth control: 1 for the whole
    batch, or one for each. Other sizes are stretched to width x height. Source: diffusers,
    KandinskyV22ControlnetPipeline."""
    hint_start: SupportsFloat
    """Fraction of the steps before which the hint has no effect: its channels are 0. 0 to 1.
    Default 0."""
    hint_end: SupportsFloat
    """Fraction of the steps after which the hint has no effect. 0 to 1. Default 1."""
    noise: AnyArray | None
    """Standard normal noise to start from, [batch, channels, latent height, latent width]. Default:
    drawn from the seeds."""
    variation_seeds: Iterable[SupportsIndex] | None
    """Seed of the noise that is mixed into each image's noise. Source: Automatic1111."""
    variation_strength: SupportsFloat
    """Interpolation from the noise of the seed (0: off) to that of the variation seed (1). 0 to 1.
    Default 0. Source: Automatic1111."""
    seed_resize_width: SupportsIndex
    """Draw the noise for an image of this size and centre it, so that a seed keeps its composition.
    Default: off. 0 to 16384 pixels. Default 0. Source: Automatic1111."""
    seed_resize_height: SupportsIndex
    """The same for the height. 0 to 16384 pixels. Default 0."""


class _DenoiseImageToImageGenerate(TypedDict, total=False):
    strength: SupportsFloat
    """Denoising strength: fraction of the schedule that runs on the start images; 0: they are
    returned unchanged, 1: nothing of them is left. 0 to 1. Default 0.75. Source: diffusers,
    KandinskyImg2ImgPipeline."""
    init_noise: str
    """Noise level at which image to image starts. matched: that of the first step that runs;
    reference: as in diffusers, higher; only some samplers support it. "matched", "reference".
    Default "matched". Source: diffusers, KandinskyImg2ImgPipeline."""
    mask_method: str
    """How a mask is inpainted. model: by the inpainting model; blend: by the model itself, with the
    kept part restored in each step; auto: model if there is one, else blend. "auto", "model",
    "blend". Default "auto". Source: diffusers, KandinskyInpaintPipeline."""


class _Denoise(TypedDict, total=False):
    init_latents: AnyArray | None
    """Latents to start from, [batch, channels, latent height, latent width]. Default: none, pure
    noise."""
    mask: AnyArray | None
    """Mask of init_latents, [batch, 1, latent height, latent width]; 1: inpaint, 0: keep."""


class _ImageToImageGenerate(TypedDict, total=False):
    resize: str
    """How an image of another size is fitted to width x height. stretch: ignores the aspect ratio;
    crop: cuts off what is outside; fill: fills the rest by repeating the border. "stretch", "crop",
    "fill". Default "stretch". Source: Automatic1111."""
    masks: Iterable[AnyArray] | None
    """Masks: none, 1 for the whole batch, or one for each, as large as its image. White: inpaint,
    black and transparent: keep."""
    invert_mask: bool
    """Black: inpaint, white: keep. Default False."""
    mask_blur: SupportsIndex
    """Standard deviation of the blur of the mask's border. 0 to 64 pixels. Default 4. Source:
    Automatic1111."""
    mask_fill: str
    """Content of the masked part before denoising. original: the image itself; fill: colours from
    around the mask; latent noise: latents of noise; latent nothing: latents of zeros. "original",
    "fill", "latent noise", "latent nothing". Default "original". Source: Automatic1111."""
    erode_mask: bool
    """Keep only latents whose neighbours are also kept; off: keep all latents outside the mask.
    Default True. Source: diffusers, prepare_mask."""
    composite: bool
    """Outside the mask, keep the images' own pixels bit for bit; off: use the decoded pixels.
    Default True."""


class EngineOptions(_Engine, total=False):
    """The keywords of Engine()."""


class EncodePromptsOptions(
    _EncodePromptsTextToImageImageToImage,
    _EncodePromptsDenoiseTextToImageImageToImageGenerate,
    total=False,
):
    """The keywords of Engine.encode_prompts()."""


class DenoiseOptions(
    _EncodePromptsDenoiseTextToImageImageToImageGenerate,
    _DenoiseDecodeEncodeTextToImageImageToImageGenerate,
    _DenoiseTextToImageImageToImageGenerate,
    _DenoiseImageToImageGenerate,
    _Denoise,
    total=False,
):
    """The keywords of Engine.denoise()."""


class DecodeOptions(_DenoiseDecodeEncodeTextToImageImageToImageGenerate, total=False):
    """The keywords of Engine.decode()."""


class EncodeOptions(_DenoiseDecodeEncodeTextToImageImageToImageGenerate, total=False):
    """The keywords of Engine.encode()."""


class TextToImageOptions(
    _EncodePromptsTextToImageImageToImage,
    _EncodePromptsDenoiseTextToImageImageToImageGenerate,
    _DenoiseDecodeEncodeTextToImageImageToImageGenerate,
    _DenoiseTextToImageImageToImageGenerate,
    total=False,
):
    """The keywords of Engine.text_to_image()."""


class ImageToImageOptions(
    _EncodePromptsTextToImageImageToImage,
    _EncodePromptsDenoiseTextToImageImageToImageGenerate,
    _DenoiseDecodeEncodeTextToImageImageToImageGenerate,
    _DenoiseTextToImageImageToImageGenerate,
    _DenoiseImageToImageGenerate,
    _ImageToImageGenerate,
    total=False,
):
    """The keywords of Engine.image_to_image()."""


class GenerateOptions(
    _EncodePromptsDenoiseTextToImageImageToImageGenerate,
    _DenoiseDecodeEncodeTextToImageImageToImageGenerate,
    _DenoiseTextToImageImageToImageGenerate,
    _DenoiseImageToImageGenerate,
    _ImageToImageGenerate,
    total=False,
):
    """The keywords of Engine.generate()."""
