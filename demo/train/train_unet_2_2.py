"""Trains Kandinsky 2.2's two UNets: the decoder, and the one with depth control.

A decoder of 2.2 knows the image embedding alone, so most of the embeddings are the prior's guesses.
It starts from the finished decoder of 2.1 (see `from_2_1`); the depth UNet from the decoder of 2.2,
with a network for depth maps and four more channels at its entrance. A third of its
embeddings are those of other images in the same colours: so it learns to take shapes and places
from the map, and from the embedding what the map leaves open. The unguided half is the embedding of
an all-zero input to the image encoder, which is what the pipelines use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import EMBEDDING, Options, Run, load, quick_precision
from diffusers import UNet2DConditionModel
from diffusion import noise_loss, schedule, spread_times, use_short_context
from from_2_1 import converted
from guesses import Guesses
from pool import BUCKETS, Pool
from scenes import Scene, depth_map
from scenes.truth import in_order
from train_inpaint import decoder
from train_unet import BATCH, CONFIG, inner_matrix
from train_vision import IMAGE
from transformers import CLIPVisionModelWithProjection
from workers import main, rank_and_size

# Narrower than 2.1's, so that both folders stay below 16 MB.
WIDTH = 96
SEEN = 4096  # images to make a decoder from 2.1's by
DECODER_CONFIG = {
    **CONFIG,
    "addition_embed_type": "image",
    "cross_attention_dim": WIDTH,
    "encoder_hid_dim": EMBEDDING,
    "encoder_hid_dim_type": "image_proj",
}
DEPTH_CONFIG = {**DECODER_CONFIG, "addition_embed_type": "image_hint", "in_channels": 8}
CONFIGS = {"decoder_2_2": DECODER_CONFIG, "depth_2_2": DEPTH_CONFIG}
DROPPED = 0.1  # of the depth maps


Look = tuple[str, tuple[str, ...], tuple[str, str]]


def look(scene: Scene) -> Look:
    """Kind, colours of the things, the left or upper one of a pair first, and ground."""
    return scene.kind, tuple(thing.color for thing in in_order(scene)), scene.ground


class Batches:
    """Draws batches from the pool: scenes, latents and embeddings."""

    def __init__(self, chosen: Options, alike: float, guessed: float) -> None:
        """Shares of the embeddings: of other images in the same colours, and the prior's."""
        self.pool = Pool(chosen)
        self.guesses = Guesses(chosen, self.pool)
        self.shares = np.cumsum((0.12, alike, guessed))
        vision = CLIPVisionModelWithProjection.from_pretrained(chosen.work / "vision").eval()
        with torch.no_grad():
            self.zero = vision(torch.zeros(1, 3, IMAGE, IMAGE)).image_embeds[0]
        self.spread = self.pool.embeds[128, 128].std(0)
        self._alike: dict[Look, list[int]] = {}
        for i, scene in enumerate(self.pool.scenes[128, 128]):
            self._alike.setdefault(look(scene), []).append(i)

    def draw(
        self, rng: np.random.Generator
    ) -> tuple[list[Scene], torch.Tensor, torch.Tensor, np.ndarray]:
        """The last: which embeddings tell of the image, rather than of one in the same colours."""
        shares = np.array([share for share, _ in BUCKETS.values()])
        size = list(BUCKETS)[int(rng.choice(len(shares), p=shares / shares.sum()))]
        count = int(np.clip(BATCH * 128 * 128 / (size[0] * size[1]), 8, 3 * BATCH))
        ones = rng.integers(len(self.pool.scenes[size]), size=count)
        source = np.searchsorted(self.shares, rng.random(count), side="right")
        guesses = self.guesses
        embeds = self.pool.embeds[size][ones]
        for i in np.flatnonzero(source == 1):
            others = self._alike.get(look(self.pool.scenes[size][ones[i]]))
            if others:
                other = others[int(rng.integers(len(others)))]
                embeds[i] = self.pool.embeds[128, 128][other]
        embeds = self._blurred(embeds, rng)
        for i in np.flatnonzero(source == 2):
            k = int(rng.integers(len(guesses.ones[size])))
            ones[i], embeds[i] = guesses.ones[size][k], guesses.embeds[size][k]
        embeds[torch.from_numpy(source == 0)] = self.zero
        scenes = [self.pool.scenes[size][i] for i in ones]
        return scenes, self.pool.latents[size][ones].float(), embeds, source > 1

    def _blurred(self, embeds: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Half of them: no embedding that people mix or interpolate is exact."""
        count = len(embeds)
        blur = torch.from_numpy(rng.uniform(0, 0.5, count) * (rng.random(count) < 0.5)).float()
        return embeds + blur[:, None] * self.spread * torch.randn_like(embeds)


def new_decoder(chosen: Options, batches: Batches) -> UNet2DConditionModel:
    """From what the work folder has of 2.1."""
    scenes, embeds = (of[128, 128][:SEEN] for of in (batches.pool.scenes, batches.pool.embeds))
    return converted(
        chosen.work, decoder(chosen.work), DECODER_CONFIG, scenes, embeds, batches.zero
    )


def _pass_on(layer: torch.nn.Conv2d, taps: list[tuple[int, int, float, int, int]]) -> None:
    """Makes a layer give values of its inputs, from taps: to, from, factor, row and column.

    A value v goes through SiLU in two channels, as v and -v: SiLU(v) - SiLU(-v) is v again.
    """
    layer.weight.zero_()
    layer.bias.zero_()
    for out, value, factor, row, column in taps:
        for sign in (0, 1):
            layer.weight[2 * out + sign, 2 * value, row, column] += factor * (1 - 2 * sign)
            layer.weight[2 * out + sign, 2 * value + 1, row, column] -= factor * (1 - 2 * sign)


@torch.no_grad()
def set_hint_network(block: torch.nn.Sequential) -> None:
    """Lets it tell the greys of the 4 x 4 parts of each latent pixel. The last layer, the only one
    to be trained, begins with their mean, their slopes and their twist.
    """
    layers = list(block[::2])
    layers[0].weight.zero_()
    layers[0].bias.zero_()
    layers[0].weight[0, :, 1, 1], layers[0].weight[1, :, 1, 1] = 1 / 3, -1 / 3
    corners = [(row, column) for row in (1, 2) for column in (1, 2)]
    same = [(value, value, 1.0, 1, 1) for value in range(4)]
    _pass_on(layers[1], same[:1])
    _pass_on(layers[2], [(0, 0, 0.25, *corner) for corner in corners])
    _pass_on(layers[3], same[:1])
    _pass_on(layers[4], [(k, 0, 1.0, *corner) for k, corner in enumerate(corners)])
    _pass_on(layers[5], same)
    _pass_on(
        layers[6],
        [(4 * k + v, v, 1.0, *corner) for k, corner in enumerate(corners) for v in range(4)],
    )
    last = layers[7]
    last.weight.zero_()
    last.bias.zero_()
    for value in range(16):
        # Of the four coarse parts one, and of its four fine ones one.
        coarse, fine = divmod(value, 4)
        down, right = (2 * (coarse // 2) + fine // 2 - 1.5), (2 * (coarse % 2) + fine % 2 - 1.5)
        for channel, factor in enumerate((1.0, right, down, right * down)):
            last.weight[channel, 2 * value, 1, 1] = factor / 4
            last.weight[channel, 2 * value + 1, 1, 1] = -factor / 4


@torch.no_grad()
def with_hints(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The same network with depth maps, which it ignores at first."""
    deep = UNet2DConditionModel(**DEPTH_CONFIG)
    state = unet.state_dict()
    entrance = torch.zeros_like(deep.conv_in.weight)
    entrance[:, :4] = state["conv_in.weight"]
    block = deep.add_embedding.input_hint_block
    set_hint_network(block)
    hints = {f"add_embedding.input_hint_block.{k}": v for k, v in block.state_dict().items()}
    deep.load_state_dict({**hints, **state, "conv_in.weight": entrance})
    return deep


class Dropped:
    """Leaves out the channels of some hints, as a hint's window does in the engine."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        self.kept = torch.ones(1, 1, 1, 1)
        unet.add_embedding.input_hint_block.register_forward_hook(
            lambda _module, _inputs, output: output * self.kept.to(output.dtype)
        )


def _hints(scenes: list[Scene], latents: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Depth maps, float [B, 3, 8h, 8w] in [0, 1]."""
    height, width = (8 * side for side in latents.shape[2:])
    maps = np.stack([depth_map(scene, width, height, rng) for scene in scenes])
    return torch.from_numpy(maps)[:, None].float().div_(255).expand(-1, 3, -1, -1)


def _train(
    chosen: Options, name: str, unet: UNet2DConditionModel, batches: Batches, peak: float
) -> None:
    rank, workers = rank_and_size()
    run = Run(name, chosen, {"unet": unet}, peak=peak, decay=0.997, orthogonal=inner_matrix)
    use_short_context(unet)  # of which nothing is cut short
    dropped = Dropped(unet) if unet.config.in_channels == 8 else None
    ac = schedule()
    samples = run.extra.setdefault("samples", 0)
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 12, step, rank))
        scenes, latents, embeds, exact = batches.draw(rng)
        count = len(scenes)
        given: dict[str, Any] = {"image_embeds": embeds}
        if dropped is not None:
            given["hint"] = _hints(scenes, latents, rng)
            kept = ~((rng.random(count) < DROPPED) & exact)
            dropped.kept = torch.from_numpy(kept).float()[:, None, None, None]
        t = spread_times(count)
        noise = torch.randn_like(latents)
        level = ac[t][:, None, None, None]
        noisy = level.sqrt() * latents + (1 - level).sqrt() * noise
        with quick_precision():
            output = unet(noisy, t, encoder_hidden_states=None, added_cond_kwargs=given).sample
        # The other four channels, a variance, are never used in 2.2.
        error = (output[:, :4].float() - noise).square().mean((1, 2, 3))
        loss = noise_loss(error, t, ac)
        run.learn(loss)
        samples += count * workers
        run.extra["samples"] = samples
        run.note(eps=error.mean().item(), loss=loss.item())
    if not run.first:
        return
    run.finish()
    print(f"{name}: {samples} samples")
    unet.save_pretrained(chosen.work / name)


def latest(work: Path, name: str) -> UNet2DConditionModel | None:
    """A finished UNet, or the averaged weights of its latest checkpoint, if there is one."""
    if (work / name).exists():
        return UNet2DConditionModel.from_pretrained(work / name)
    if not (work / f"{name}.pt").exists():
        return None
    unet = UNet2DConditionModel(**CONFIGS[name])
    unet.load_state_dict(load(work / f"{name}.pt")["averages"]["unet"])
    return unet.eval()


def train_decoder(chosen: Options) -> None:
    batches = Batches(chosen, alike=0.0, guessed=0.6)
    unet = chosen.begin(
        UNet2DConditionModel,
        "kandinsky-demo-2-2/unet",
        lambda: new_decoder(chosen, batches),
    )
    _train(chosen, "decoder_2_2", unet, batches, peak=8e-4)


def train_depth(chosen: Options) -> None:
    batches = Batches(chosen, alike=0.33, guessed=0.3)
    unet = chosen.begin(
        UNet2DConditionModel,
        "kandinsky-demo-2-2-depth/unet",
        lambda: with_hints(UNet2DConditionModel.from_pretrained(chosen.work / "decoder_2_2")),
    )
    unet.add_embedding.input_hint_block[:-1].requires_grad_(False)
    _train(chosen, "depth_2_2", unet, batches, peak=8e-4)


if __name__ == "__main__":
    main({"decoder": train_decoder, "depth": train_depth}, 1000, __doc__)
