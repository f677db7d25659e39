import numpy as np
import torch
from PIL import Image

from modules import devices, shared
from modules.shared import opts


def setup_img2img_steps(p, steps=None):
    """Steps of the whole schedule, and one less than those of them that run."""
    if steps is None and not opts.img2img_fix_steps:
        return p.steps, int(min(p.denoising_strength, 0.999) * p.steps)
    wanted = steps or p.steps
    whole = 0 if p.denoising_strength <= 0 else int(wanted / min(p.denoising_strength, 0.999))
    return whole, wanted - 1


def images_tensor_to_samples(image, approximation=None, model=None):
    """Images [B, 3, H, W] in 0..1 to latents, one after another."""
    if opts.sd_vae_encode_method != "Full":
        raise AssertionError(f"an image was encoded with {opts.sd_vae_encode_method}")
    model = model or shared.sd_model
    model.first_stage_model.to(devices.dtype_vae)
    scaled = image.to(dtype=devices.dtype_vae) * 2 - 1
    return torch.cat(
        [model.get_first_stage_encoding(model.encode_first_stage(one[None])) for one in scaled]
    )


def decode_first_stage(model, x):
    if opts.sd_vae_decode_method != "Full":
        raise AssertionError(f"latents were decoded with {opts.sd_vae_decode_method}")
    return model.decode_first_stage(x.to(devices.dtype_vae).to(model.first_stage_model.dtype))


def to_image(sample):
    """An image [3, H, W] in 0..1; the host cuts off what is behind the point."""
    array = 255.0 * np.moveaxis(sample.cpu().numpy(), 0, 2)
    return Image.fromarray(array.astype(np.uint8))
