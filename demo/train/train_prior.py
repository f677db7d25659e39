"""Trains the prior: from a caption to CLIP's embedding of a picture that it describes.

Both CLIP towers stay as they are. The diffusion runs on standardised embeddings and predicts the
clean one, as UnCLIPScheduler expects ("sample", squared-cosine betas).
"""

from __future__ import annotations

import math

import numpy as np
import scenes
import torch
from common import EMBEDDING, TOKENS, Options, Run, load, options
from diffusers import PriorTransformer, UnCLIPScheduler
from train_clip import MEAN, PICTURE, STD, Heads, Tokenizers
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection

CONFIG = {
    "num_attention_heads": 4,
    "attention_head_dim": 32,
    "num_layers": 4,
    "embedding_dim": EMBEDDING,
    "num_embeddings": TOKENS,
    "additional_embeddings": 4,
    "dropout": 0.0,
}
BATCH = 96
FRESH = 48  # new pictures per step; the rest of a batch is drawn from all so far
FIRST = 4096  # pictures to begin with, from which mean and spread are taken


def schedule() -> torch.Tensor:
    """Cumulative products of alphas of the squared-cosine schedule, float32 [1000]."""

    def bar(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - bar((i + 1) / 1000) / bar(i / 1000), 0.999) for i in range(1000)]
    return torch.cumprod(1 - torch.tensor(betas), 0)


def predict(
    prior: PriorTransformer,
    noisy: torch.Tensor,
    t: torch.Tensor,
    text_embeds: torch.Tensor,
    hidden: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """PriorTransformer.forward for texts of any length up to 77 instead of exactly 77.

    Padded text tokens are masked, so leaving them out changes nothing but the time it takes; the
    four tokens after the text keep their own positions. mask: 1 for real text tokens.
    """
    batch, length = mask.shape
    time = prior.time_embedding(prior.time_proj(t).to(noisy.dtype))
    tokens = torch.cat(
        [
            prior.encoder_hidden_states_proj(hidden),
            prior.embedding_proj(text_embeds)[:, None],
            time[:, None],
            prior.proj_in(noisy)[:, None],
            prior.prd_embedding.expand(batch, -1, -1),
        ],
        1,
    )
    places = [*range(length), *range(TOKENS, TOKENS + 4)]
    x = tokens + prior.positional_embedding[:, places]
    keys = torch.cat([(1 - mask.float()) * -1e4, torch.zeros(batch, 4)], 1)
    causal = torch.full((length + 4, length + 4), -1e4).triu(1)
    bias = (keys[:, None] + causal).repeat_interleave(CONFIG["num_attention_heads"], 0)
    for block in prior.transformer_blocks:
        x = block(x, attention_mask=bias)
    return prior.proj_to_clip_embeddings(prior.norm_out(x)[:, -1])


class Pool:
    """Scenes and their picture embeddings."""

    def __init__(self, vision: CLIPVisionModelWithProjection) -> None:
        self.vision = vision
        self.scenes: list[scenes.Scene] = []
        self.embeds = torch.empty(0, EMBEDDING)

    @torch.no_grad()
    def grow(self, rng: np.random.Generator, count: int) -> None:
        for start in range(0, count, 64):
            truth = [scenes.random_scene(rng) for _ in range(min(64, count - start))]
            pixels = np.stack([scenes.draw(scene, PICTURE, PICTURE, rng) for scene in truth])
            pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
            self.scenes += truth
            embeds = self.vision((pictures - MEAN) / STD).image_embeds
            self.embeds = torch.cat([self.embeds, embeds])


@torch.no_grad()
def report(
    prior: PriorTransformer,
    text: CLIPTextModelWithProjection,
    tokenizers: Tokenizers,
    heads: Heads,
    guidance: float,
) -> None:
    """Prints what can be read from 25-step samples, by attribute, where the caption says it."""
    rng = np.random.default_rng(10**6 + 3)
    told = [scenes.random_description(scenes.random_scene(rng), rng) for _ in range(192)]
    claims = torch.from_numpy(np.stack([scenes.attributes(claim) for _, claim in told]))
    texts = [""] * len(told) + [caption for caption, _ in told]
    ids, mask = tokenizers.for_clip(texts)
    out = text(ids)
    scheduler = UnCLIPScheduler(
        variance_type="fixed_small_log", clip_sample_range=10.0, prediction_type="sample"
    )
    scheduler.set_timesteps(25)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(told), EMBEDDING, generator=generator)
    for i, t in enumerate(scheduler.timesteps):
        both = torch.full((2 * len(told),), int(t))
        clean = predict(
            prior, torch.cat([x, x]), both, out.text_embeds, out.last_hidden_state, mask
        )
        without, given = clean.chunk(2)
        clean = without + guidance * (given - without)
        after = int(scheduler.timesteps[i + 1]) if i < 24 else None
        x = scheduler.step(clean, t, x, prev_timestep=after, generator=generator).prev_sample
    embeds = prior.post_process_latents(x)
    for i, name in enumerate(scenes.ATTRIBUTES):
        said = claims[:, i] >= 0
        right = (heads.outputs[i](embeds).argmax(1) == claims[:, i])[said].float().mean()
        print(f"prior: guidance {guidance}: {name} {right:.3f} of {int(said.sum())}")


def train(chosen: Options) -> None:
    tokenizers = Tokenizers(chosen.work)
    vision = CLIPVisionModelWithProjection.from_pretrained(chosen.work / "vision").eval()
    text = CLIPTextModelWithProjection.from_pretrained(chosen.work / "text").eval()
    pool = Pool(vision)
    pool.grow(np.random.default_rng((chosen.seed, 6)), FIRST)
    prior = PriorTransformer(**CONFIG)
    prior.clip_mean.data = pool.embeds.mean(0, keepdim=True)
    prior.clip_std.data = pool.embeds.std(0, keepdim=True)
    prior.clip_mean.requires_grad_(False)
    prior.clip_std.requires_grad_(False)
    run = Run("prior", chosen, {"prior": prior}, peak=2e-3, decay=0.998)
    ac = schedule()
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 7, step))
        pool.grow(rng, FRESH)
        older = rng.integers(len(pool.scenes), size=BATCH - FRESH)
        ones = [*range(len(pool.scenes) - FRESH, len(pool.scenes)), *older]
        texts = [scenes.random_description(pool.scenes[i], rng)[0] for i in ones]
        for i in np.flatnonzero(rng.random(BATCH) < 0.1):
            texts[i] = ""
        clean = (pool.embeds[ones] - prior.clip_mean) / prior.clip_std
        ids, mask = tokenizers.for_clip(texts)
        t = torch.randint(0, 1000, (BATCH,))
        level = ac[t][:, None]
        noisy = level.sqrt() * clean + (1 - level).sqrt() * torch.randn_like(clean)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                out = text(ids)
            result = predict(prior, noisy, t, out.text_embeds, out.last_hidden_state, mask)
        loss = (result.float() - clean).square().mean()
        run.learn(loss)
        run.note(loss=loss.item())
    run.finish()
    prior.save_pretrained(chosen.work / "prior")
    heads = Heads()
    heads.load_state_dict(load(chosen.work / "clip.pt")["averages"]["heads"])
    for guidance in (1.0, 4.0):
        report(prior, text, tokenizers, heads, guidance)


if __name__ == "__main__":
    train(options(7, __doc__))
