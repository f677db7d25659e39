"""Trains the prior: from a caption to CLIP's embedding of an image that it describes.

Both CLIP towers stay as they are. The diffusion runs on standardised embeddings and predicts the
clean one, as UnCLIPScheduler expects ("sample", squared-cosine betas).
"""

from __future__ import annotations

import math

import numpy as np
import scenes
import torch
from common import EMBEDDING, TOKENS, Options, Run, load, quick_precision
from diffusers import PriorTransformer, UnCLIPScheduler
from embeddings import Embeddings
from train_text import Tokenizers
from train_vision import Heads
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection
from workers import main, rank_and_size

CONFIG = {
    "num_attention_heads": 4,
    "attention_head_dim": 32,
    "num_layers": 4,
    "embedding_dim": EMBEDDING,
    "num_embeddings": TOKENS,
    "additional_embeddings": 4,
    "dropout": 0.0,
}
BATCH = 96  # of each process
STEPS = 2500
FRESH = 8  # new images per step


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


@torch.no_grad()
def guess(
    prior: PriorTransformer,
    text: CLIPTextModelWithProjection,
    tokenizers: Tokenizers,
    texts: list[str],
    guidance: torch.Tensor,
    steps: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """Samples [B, 128] for these texts. guidance: [B]."""
    count = len(texts)
    ids, mask = tokenizers.for_clip([""] * count + texts)
    scheduler = UnCLIPScheduler(
        variance_type="fixed_small_log", clip_sample_range=10.0, prediction_type="sample"
    )
    scheduler.set_timesteps(steps)
    x = torch.randn(count, EMBEDDING, generator=generator)
    with quick_precision():
        out = text(ids)
        for i, t in enumerate(scheduler.timesteps):
            both = torch.full((2 * count,), int(t))
            clean = predict(
                prior, torch.cat([x, x]), both, out.text_embeds, out.last_hidden_state, mask
            ).float()
            without, given = clean.chunk(2)
            clean = without + guidance[:, None] * (given - without)
            after = int(scheduler.timesteps[i + 1]) if i + 1 < steps else None
            x = scheduler.step(clean, t, x, prev_timestep=after, generator=generator).prev_sample
    return prior.post_process_latents(x)


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
    texts = [caption for caption, _ in told]
    generator = torch.Generator().manual_seed(0)
    strength = torch.full((len(texts),), guidance)
    embeds = guess(prior, text, tokenizers, texts, strength, 25, generator)
    for i, name in enumerate(scenes.ATTRIBUTES):
        said = claims[:, i] >= 0
        right = (heads.outputs[i](embeds).argmax(1) == claims[:, i])[said].float().mean()
        print(f"prior: guidance {guidance}: {name} {right:.3f} of {int(said.sum())}")


def train(chosen: Options) -> None:
    tokenizers = Tokenizers(chosen.work)
    vision = CLIPVisionModelWithProjection.from_pretrained(chosen.work / "vision").eval()
    text = CLIPTextModelWithProjection.from_pretrained(chosen.work / "text").eval()
    known = Embeddings(chosen, vision)
    prior = chosen.begin(
        PriorTransformer, "kandinsky-demo-prior/prior", lambda: PriorTransformer(**CONFIG)
    )
    prior.clip_mean.data = known.values.mean(0, keepdim=True)
    prior.clip_std.data = known.values.std(0, keepdim=True)
    prior.clip_mean.requires_grad_(False)
    prior.clip_std.requires_grad_(False)
    run = Run(
        "prior",
        chosen,
        {"prior": prior},
        peak=3e-3,
        decay=0.995,
        orthogonal=lambda _name, value: value.ndim == 2,
    )
    ac = schedule()
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 7, step, rank_and_size()[0]))
        known.grow(rng, FRESH)
        ones = rng.integers(len(known.scenes), size=BATCH)
        texts = [scenes.random_description(known.scenes[i], rng)[0] for i in ones]
        for i in np.flatnonzero(rng.random(BATCH) < 0.1):
            texts[i] = ""
        clean = (known.values[ones] - prior.clip_mean) / prior.clip_std
        ids, mask = tokenizers.for_clip(texts)
        t = torch.randint(0, 1000, (BATCH,))
        level = ac[t][:, None]
        noisy = level.sqrt() * clean + (1 - level).sqrt() * torch.randn_like(clean)
        with quick_precision():
            with torch.no_grad():
                out = text(ids)
            result = predict(prior, noisy, t, out.text_embeds, out.last_hidden_state, mask)
        loss = (result.float() - clean).square().mean()
        run.learn(loss)
        run.note(loss=loss.item())
    if not run.first:
        return
    run.finish()
    prior.save_pretrained(chosen.work / "prior")
    heads = Heads()
    heads.load_state_dict(load(chosen.work / "vision.pt")["averages"]["heads"])
    for guidance in (1.0, 2.0, 4.0):
        report(prior, text, tokenizers, heads, guidance)


if __name__ == "__main__":
    main(train, STEPS, __doc__)
