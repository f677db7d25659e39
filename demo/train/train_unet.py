"""Trains the decoder: the UNet together with its XLM-R text tower.

Latents come from the pool. Four in ten embeddings are the prior's guesses, each with the caption it
was made from; beside the others, captions are made anew each time. What the prior says of an image
is never exact, while the text is: so most of those others are blurred or drawn towards another
image's, and the UNet learns to believe the text first and the embedding where the text is silent.
Left-out conditions are what the pipelines use for them: "" through XLM-R and the embedding of an
all-zero input to the image encoder, mostly both at once, which is the guidance's other half.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from common import EMBEDDING, TOKENS, Options, Run, load, quick_precision
from diffusers import UNet2DConditionModel
from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
from diffusion import noise_loss, schedule, spread_times, use_short_context, variance_loss
from guesses import Guesses
from muon import matrices_except
from pool import BUCKETS, Pool
from scenes import Scene, random_description
from torch.nn import functional
from train_text import Tokenizers
from train_vision import IMAGE
from transformers import CLIPVisionModelWithProjection
from workers import main, rank_and_size

CONFIG = {
    "act_fn": "silu",
    "addition_embed_type": "text_image",
    "attention_head_dim": 16,
    "block_out_channels": [64, 80, 80, 48],
    "cross_attention_dim": EMBEDDING,
    "down_block_types": ["ResnetDownsampleBlock2D"] + ["SimpleCrossAttnDownBlock2D"] * 3,
    "encoder_hid_dim": 128,
    "encoder_hid_dim_type": "text_image_proj",
    "in_channels": 4,
    "layers_per_block": 1,
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "norm_num_groups": 16,
    "out_channels": 8,
    "resnet_time_scale_shift": "scale_shift",
    "sample_size": 16,
    "up_block_types": ["SimpleCrossAttnUpBlock2D"] * 3 + ["ResnetUpsampleBlock2D"],
}
BATCH = 48  # of each process, at 128 x 128 pixels
# Embeddings and the ends of the UNet are not Muon's.
inner_matrix = matrices_except("conv_in.", "conv_out.", "embeddings.")
EARLY = 0.3  # of the training is for the smallest sizes only
GUESSED = 0.4
STEPS = 8000


@dataclass
class Batch:
    """What one training step takes. latents: [B, 4, h, w]; ids and mask end in a padding column."""

    scenes: list[Scene]
    latents: torch.Tensor
    image_embeds: torch.Tensor
    ids: torch.Tensor
    mask: torch.Tensor


def tokens_with_padding(
    tokenizers: Tokenizers, texts: list[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """ids and mask whose last column is padding in every row, as ShortContext wants it."""
    ids, mask = tokenizers.for_xlmr(texts)
    if ids.shape[1] >= TOKENS:
        raise ValueError("a training caption fills all 77 tokens")
    return functional.pad(ids, (0, 1), value=1), functional.pad(mask, (0, 1), value=0)


class Batches:
    """Draws batches from the pool."""

    def __init__(self, chosen: Options, tokenizers: Tokenizers) -> None:
        self.tokenizers = tokenizers
        self.pool = Pool(chosen)
        self.guesses = Guesses(chosen, self.pool)
        # A model to go on from knows the small sizes already.
        self.early = EARLY if chosen.start is None else 0.0
        vision = CLIPVisionModelWithProjection.from_pretrained(chosen.work / "vision").eval()
        with torch.no_grad():
            self.zero = vision(torch.zeros(1, 3, IMAGE, IMAGE)).image_embeds[0]
        self._index: dict[tuple[str, str], list[int]] = {}
        for i, scene in enumerate(self.pool.scenes[128, 128]):
            if scene.kind == "single":
                thing = scene.things[0]
                self._index.setdefault((thing.noun, thing.color), []).append(i)
        self.spread = self.pool.embeds[128, 128].std(0)

    def draw(self, rng: np.random.Generator, fraction: float = 1.0) -> Batch:
        """fraction: of the training that is over."""
        sizes = list(BUCKETS)
        shares = np.array([BUCKETS[size][0] for size in sizes])
        if fraction < self.early:
            shares[[max(size) > 128 for size in sizes]] = 0
        size = sizes[int(rng.choice(len(sizes), p=shares / shares.sum()))]
        count = int(np.clip(BATCH * 128 * 128 / (size[0] * size[1]), 8, 3 * BATCH))
        scenes = self.pool.scenes[size]
        ones = rng.integers(len(scenes), size=count)
        texts = [random_description(scenes[i], rng)[0] for i in ones]
        embeds = self._doubted(self.pool.embeds[size][ones], rng)
        guesses = self.guesses
        for i in np.flatnonzero(rng.random(count) < GUESSED):
            k = int(rng.integers(len(guesses.ones[size])))
            ones[i], texts[i] = guesses.ones[size][k], guesses.texts[size][k]
            embeds[i] = guesses.embeds[size][k]
        lot = rng.random(count)
        for i in np.flatnonzero(lot < 0.19):
            texts[i] = ""
        embeds[torch.from_numpy((lot < 0.09) | (lot > 0.92))] = self.zero
        # Without a text, the embedding is all there is: show it as it is, or a little blurred.
        alone = torch.from_numpy((lot >= 0.09) & (lot < 0.19))
        exact = self.pool.embeds[size][ones]
        embeds[alone] = exact[alone] + 0.15 * self.spread * torch.randn_like(exact[alone])
        ids, mask = tokens_with_padding(self.tokenizers, texts)
        return Batch([scenes[i] for i in ones], self.pool.latents[size][ones].float(), embeds, ids,
                     mask)  # fmt: skip

    def like(self, noun: str, color: str) -> list[int]:
        """Which images of 128 x 128 pixels show such a thing alone."""
        return self._index.get((noun, color), [])

    def _doubted(self, embeds: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """A third as they are, a half blurred, the rest drawn towards another image's."""
        count = len(embeds)
        lot = rng.random(count)
        blur = torch.from_numpy(rng.uniform(0, 0.9, count) * (lot < 0.5)).float()
        embeds = embeds + blur[:, None] * self.spread * torch.randn_like(embeds)
        others = self.pool.embeds[128, 128]
        weight = torch.from_numpy(rng.uniform(0.25, 1, count) * (lot > 0.84)).float()
        return embeds.lerp(others[rng.integers(len(others), size=count)], weight[:, None])


def new_unet() -> UNet2DConditionModel:
    unet = UNet2DConditionModel(**CONFIG)
    with torch.no_grad():
        unet.conv_out.weight.mul_(0.1)
        unet.conv_out.weight[4:] = 0
        unet.conv_out.bias.zero_()
    return unet


def train(chosen: Options) -> None:
    rank, workers = rank_and_size()
    tokenizers = Tokenizers(chosen.work)
    batches = Batches(chosen, tokenizers)
    unet = chosen.begin(UNet2DConditionModel, "kandinsky-demo/unet", new_unet)
    xlmr = MultilingualCLIP.from_pretrained(chosen.work / "xlmr")
    modules = {"unet": unet, "xlmr": xlmr}
    run = Run("unet", chosen, modules, peak=2.5e-3, decay=0.997, orthogonal=inner_matrix)
    context = use_short_context(unet)
    ac = schedule()
    samples = run.extra.setdefault("samples", 0)
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 5, step, rank))
        batch = batches.draw(rng, run.fraction)
        count = len(batch.latents)
        t = spread_times(count)
        noise = torch.randn_like(batch.latents)
        level = ac[t][:, None, None, None]
        noisy = level.sqrt() * batch.latents + (1 - level).sqrt() * noise
        context.shorten(batch.ids.shape[1])
        with quick_precision():
            embeds, hidden = xlmr(batch.ids, batch.mask)
            output = unet(
                noisy,
                t,
                encoder_hidden_states=hidden,
                added_cond_kwargs={"text_embeds": embeds, "image_embeds": batch.image_embeds},
            ).sample.float()
        noise_pred, v = output.split(4, 1)
        error = (noise_pred - noise).square().mean((1, 2, 3))
        spread_loss = variance_loss(v, noise_pred, noise, t, ac)
        run.learn(noise_loss(error, t, ac) + 0.05 * spread_loss.clamp(max=20))
        samples += count * workers
        run.extra["samples"] = samples
        run.note(eps=error.mean().item(), kl=spread_loss.item())
    if not run.first:
        return
    run.finish()
    print(f"unet: {samples} samples")
    unet.save_pretrained(chosen.work / "unet")
    xlmr.save_pretrained(chosen.work / "xlmr_final")


def averaged(work: Path) -> tuple[UNet2DConditionModel, MultilingualCLIP]:
    """The averaged weights of the latest checkpoint, finished or not."""
    state = load(work / "unet.pt")["averages"]
    unet = UNet2DConditionModel(**CONFIG)
    xlmr = MultilingualCLIP.from_pretrained(work / "xlmr")
    unet.load_state_dict(state["unet"])
    xlmr.load_state_dict(state["xlmr"])
    return unet.eval(), xlmr.eval()


if __name__ == "__main__":
    main(train, STEPS, __doc__)
