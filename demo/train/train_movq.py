"""Trains MoVQ: pixels to latents of an eighth of the size and back.

Three phases. First encoder and decoder together; then latents are standardised (zero mean, unit
variance per channel, folded exactly into the 1x1 convolutions at both ends). Then both learn small
images, where eight pixels are a whole corner: there latents are free to move, and those of larger
images are held where they were. Last the encoder is frozen, so that the UNet can start on its
latents while the decoder alone goes on improving.
"""

from __future__ import annotations

import copy
import functools

import numpy as np
import scenes
import torch
from common import SIZE, Options, Run, images, quick_precision, to_tensor
from diffusers import VQModel
from diffusers.models.attention_processor import SpatialNorm
from muon import matrices_except
from torch.nn import functional
from workers import main, rank_and_size

CONFIG = {
    "act_fn": "silu",
    "block_out_channels": [32, 32, 64, 96],  # spatial norms have 32 groups, hence the multiples
    "down_block_types": ["DownEncoderBlock2D"] * 3 + ["AttnDownEncoderBlock2D"],
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 1,
    "norm_num_groups": 16,
    "norm_type": "spatial",
    "num_vq_embeddings": 16,  # the Kandinsky pipelines never quantise
    "out_channels": 3,
    "sample_size": 128,
    "scaling_factor": 0.18215,
    "up_block_types": ["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 3,
    "vq_embed_dim": 4,
}
STEPS = 4000
# (width, height) -> share of the steps. Whole images, not crops: norms look at all of a map.
SIZES: dict[tuple[int, int], float] = {
    (128, 128): 0.42,
    (64, 64): 0.36,
    (192, 128): 0.05,
    (128, 192): 0.05,
    (64, 128): 0.04,
    (192, 192): 0.04,
    (256, 256): 0.04,
}
SMALL = (64, 64)
# Of the second phase.
SMALL_SIZES: dict[tuple[int, int], float] = {
    SMALL: 0.7,
    (128, 128): 0.22,
    (192, 128): 0.04,
    (128, 192): 0.04,
}
HOLD = 1.0  # of larger images' latents, by their squared distance
# Most that latents are off in training, as those of a UNet always are: without it, a tenth of their
# spread makes an image fall apart.
NOISE = 0.1
# Of single things, pairs and compositions. The last, with most edges, are more than elsewhere.
KINDS = (0.45, 0.35, 0.2)
# Both ends, and what reads latents, are not Muon's.
inner_matrix = matrices_except("conv_in.", "conv_out.", "conv_y.", "conv_b.", "quant_conv.")


def encode(movq: VQModel, pixels: torch.Tensor) -> torch.Tensor:
    return movq.encode(pixels).latents


def decode(movq: VQModel, latents: torch.Tensor) -> torch.Tensor:
    return movq.decode(latents, force_not_quantize=True).sample


def roughened(latents: torch.Tensor) -> torch.Tensor:
    """Each image's latents with noise of its own strength, up to NOISE."""
    strength = NOISE * torch.rand(len(latents), 1, 1, 1)
    return latents + strength * torch.randn_like(latents)


def quick_spatial_norm(self: SpatialNorm, f: torch.Tensor, zq: torch.Tensor) -> torch.Tensor:
    """SpatialNorm.forward with its 1x1 convolutions before the enlarging, which is the same."""
    scale, shift = (
        functional.interpolate(conv(zq), size=f.shape[-2:]) for conv in (self.conv_y, self.conv_b)
    )
    return torch.addcmul(shift, self.norm_layer(f), scale)


SpatialNorm.forward = quick_spatial_norm


def edges(pixels: torch.Tensor) -> torch.Tensor:
    """1 within three pixels of an edge, else 0: [B, 1, H, W]."""
    down = functional.pad((pixels[:, :, 1:] - pixels[:, :, :-1]).abs().amax(1, True), (0, 0, 0, 1))
    right = functional.pad((pixels[..., 1:] - pixels[..., :-1]).abs().amax(1, True), (0, 1, 0, 0))
    return functional.max_pool2d((torch.maximum(down, right) > 0.02).float(), 5, 1, 2)


def loss_of(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    difference = output - target
    # Most of an image is flat; the edges are what a person looks at.
    weight = 1 + 3 * edges(target)
    return (weight * (difference.abs() + 2 * difference.square())).mean()


@torch.no_grad()
def psnr(movq: VQModel, count: int = 64, size: int = SIZE) -> float:
    """Mean peak signal-to-noise ratio in dB over scenes never trained on."""
    rng = np.random.default_rng(10**6)
    target = to_tensor(images(rng, count, size, size)[1])
    output = torch.cat([decode(movq, encode(movq, t)) for t in target.split(16)]).clamp(-1, 1)
    error = ((output - target) / 2).square().mean((1, 2, 3))
    return float((-10 * error.log10()).mean())


@torch.no_grad()
def standardise(movq: VQModel) -> None:
    """Makes latents zero-mean and unit-variance without changing what the model computes."""
    target = to_tensor(images(np.random.default_rng(10**6 + 1), 512)[1])
    latents = torch.cat([encode(movq, t) for t in target.split(32)])
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    print(f"movq: latent mean {mean.tolist()} std {std.tolist()}")
    out = movq.quant_conv
    out.weight /= std[:, None, None, None]
    out.bias.sub_(mean).div_(std)
    # Everything that reads latents is a 1x1 convolution: W (s z + m) + b = (W s) z + (W m + b).
    readers = [movq.post_quant_conv]
    for module in movq.decoder.modules():
        if hasattr(module, "conv_y") and hasattr(module, "conv_b"):
            readers += [module.conv_y, module.conv_b]
    for conv in readers:
        conv.bias += conv.weight[:, :, 0, 0] @ mean
        conv.weight *= std[None, :, None, None]


def batch_of(
    chosen: Options, stage: int, step: int, shares: dict[tuple[int, int], float] = SIZES
) -> torch.Tensor:
    """A small batch (they learn most per minute): one image, or more if they are small.

    All processes have the same size in a step, so that none waits for another.
    """
    sizes = list(shares)
    lot = np.random.default_rng((chosen.seed, stage, step))
    width, height = sizes[int(lot.choice(len(sizes), p=list(shares.values())))]
    rng = np.random.default_rng((chosen.seed, stage, step, rank_and_size()[0]))
    count = max(1, 128 * 128 // (width * height))
    make = functools.partial(scenes.random_scene, shares=KINDS)
    return to_tensor(images(rng, count, width, height, make)[1])


def train_both(chosen: Options) -> None:
    movq = chosen.begin(VQModel, "kandinsky-demo/movq", lambda: VQModel(**CONFIG))
    movq.quantize.requires_grad_(False)
    run = Run("movq_both", chosen, {"movq": movq}, peak=1.5e-3)
    for step in run.steps():
        target = batch_of(chosen, 1, step)
        latents = encode(movq, target)
        mean = latents.mean((0, 2, 3))
        spread = latents.var((0, 2, 3)).add(1e-6).log()
        noisy = latents + 0.03 * torch.randn_like(latents)
        output = decode(movq, noisy)
        loss = loss_of(output, target)
        tidy = mean.square().mean() + spread.square().mean()
        run.learn(loss + 0.01 * tidy)
        run.note(loss=loss.item(), tidy=tidy.item())
    if not run.first:
        return
    run.finish()
    print(f"movq: {psnr(movq):.2f} dB")
    standardise(movq)
    print(f"movq: {psnr(movq):.2f} dB after standardising")
    movq.save_pretrained(chosen.work / "movq_both")


def train_small(chosen: Options) -> None:
    movq = VQModel.from_pretrained(chosen.work / "movq_both")
    before = copy.deepcopy(movq).requires_grad_(False)
    movq.quantize.requires_grad_(False)
    run = Run(
        "movq_small", chosen, {"movq": movq}, peak=1.2e-3, decay=0.998, orthogonal=inner_matrix
    )
    for step in run.steps():
        target = batch_of(chosen, 3, step, SMALL_SIZES)
        with quick_precision():
            latents = encode(movq, target).float()
            loss = loss_of(decode(movq, roughened(latents)).float(), target)
            if target.shape[2:] == SMALL[::-1]:
                run.note(small=loss.item())
            else:
                moved = (latents - encode(before, target).float()).square().mean()
                run.note(large=loss.item(), moved=moved.item())
                loss = loss + HOLD * moved
        run.learn(loss)
    if not run.first:
        return
    run.finish()
    print(f"movq: {psnr(movq):.2f} dB, {psnr(movq, size=SMALL[0]):.2f} dB at {SMALL[0]} px")
    movq.save_pretrained(chosen.work / "movq")


def train_decoder(chosen: Options) -> None:
    movq = VQModel.from_pretrained(chosen.work / "movq")
    for part in (movq.encoder, movq.quant_conv, movq.quantize):
        part.requires_grad_(False)
    run = Run(
        "movq_decoder", chosen, {"movq": movq}, peak=1.2e-3, decay=0.998, orthogonal=inner_matrix
    )
    for step in run.steps():
        target = batch_of(chosen, 2, step)
        with torch.no_grad():
            latents = encode(movq, target)
        loss = loss_of(decode(movq, roughened(latents)), target)
        run.learn(loss)
        run.note(loss=loss.item())
    if not run.first:
        return
    run.finish()
    print(f"movq: {psnr(movq):.2f} dB")
    movq.save_pretrained(chosen.work / "movq_final")


if __name__ == "__main__":
    main({"both": train_both, "small": train_small, "decoder": train_decoder}, STEPS, __doc__)
