"""Trains the inpainting UNet: the finished one, with five more channels at its entrance.

It also sees the latents of what is kept and a mask, 1 where the image stays. The text tower stays
as it is, so that both folders have the same one. Most captions of a hidden thing tell of it alone,
which is how people ask for a repair: what lies around has to come from the image, not from the
embedding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from common import Options, Run, quick_precision
from diffusers import UNet2DConditionModel
from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
from diffusion import noise_loss, schedule, spread_times, use_short_context, variance_loss
from scenes import Mention, Plan, Scene, say
from train_text import Tokenizers
from train_unet import CONFIG, Batch, Batches, averaged, inner_matrix, tokens_with_padding
from workers import main, rank_and_size

INPAINT_CONFIG = {**CONFIG, "in_channels": 9}


def widened(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The same network with nine channels in, which ignores the new five at first."""
    wide = UNet2DConditionModel(**INPAINT_CONFIG)
    state = unet.state_dict()
    entrance = torch.zeros_like(wide.conv_in.weight)
    entrance[:, :4] = state["conv_in.weight"]
    wide.load_state_dict({**state, "conv_in.weight": entrance})
    return wide


def decoder(work: Path) -> UNet2DConditionModel:
    """The finished decoder's UNet, or as far as its training is."""
    path = work / "unet"
    return UNet2DConditionModel.from_pretrained(path) if path.exists() else averaged(work)[0]


def _box(mask: np.ndarray, left: float, top: float, right: float, bottom: float) -> None:
    """Clears a box, in parts of the canvas and at least one latent pixel wide."""
    height, width = mask.shape
    x0, y0 = (
        int(np.clip(np.floor(v), 0, n - 1))
        for v, n in ((left * width, width), (top * height, height))
    )
    x1, y1 = int(np.ceil(right * width)), int(np.ceil(bottom * height))
    mask[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 0


def random_mask(
    scene: Scene, height: int, width: int, rng: np.random.Generator
) -> tuple[np.ndarray, int | None]:
    """A mask at the latents' size, 1 where the image stays, and which thing it hides, if one."""
    mask = np.ones((height, width), dtype=np.float32)
    lot = rng.random()
    if lot < 0.65 and scene.kind != "composition":
        index = int(rng.integers(len(scene.things)))
        thing = scene.things[index]
        shorter = min(width, height)
        reach = thing.radius * rng.uniform(1.05, 1.5) * shorter
        x, y = reach / width, reach / height
        _box(mask, thing.x - x, thing.y - y, thing.x + x, thing.y + y)
        return mask, index
    if lot < 0.88:
        wide, high = rng.uniform(0.2, 0.8, 2)
        left, top = rng.uniform(0, 1 - wide), rng.uniform(0, 1 - high)
        _box(mask, left, top, left + wide, top + high)
    elif lot < 0.96:
        mask[:] = 0
    return mask, None


def draw_masks(
    batch: Batch, batches: Batches, tokenizers: Tokenizers, rng: np.random.Generator
) -> torch.Tensor:
    """Masks [B, 1, h, w] for a batch; tells some captions anew, of the hidden thing alone."""
    height, width = batch.latents.shape[2:]
    masks = np.empty((len(batch.scenes), 1, height, width), dtype=np.float32)
    told: dict[int, str] = {}
    for i, scene in enumerate(batch.scenes):
        masks[i, 0], hidden = random_mask(scene, height, width, rng)
        if hidden is None or rng.random() > 0.7 or not batch.mask[i, 2]:
            continue
        thing = scene.things[hidden]
        told[i] = say(Plan((Mention(thing),)), "en" if rng.random() < 0.6 else "ru", rng)
        alike = batches.like(thing.noun, thing.color)
        if alike:
            batch.image_embeds[i] = batches.pool.embeds[128, 128][
                alike[int(rng.integers(len(alike)))]
            ]
    if told:
        ids, mask = tokens_with_padding(tokenizers, list(told.values()))
        length = max(ids.shape[1], batch.ids.shape[1])
        new_ids = torch.ones(len(batch.ids), length, dtype=torch.int64)
        new_mask = torch.zeros_like(new_ids)
        new_ids[:, : batch.ids.shape[1]], new_mask[:, : batch.mask.shape[1]] = batch.ids, batch.mask
        for row, i in enumerate(told):
            new_ids[i], new_mask[i] = 1, 0
            new_ids[i, : ids.shape[1]], new_mask[i, : ids.shape[1]] = ids[row], mask[row]
        batch.ids, batch.mask = new_ids, new_mask
    return torch.from_numpy(masks)


def train(chosen: Options) -> None:
    rank, workers = rank_and_size()
    tokenizers = Tokenizers(chosen.work)
    batches = Batches(chosen, tokenizers)
    unet = chosen.begin(
        UNet2DConditionModel, "kandinsky-demo-inpaint/unet", lambda: widened(decoder(chosen.work))
    )
    path = chosen.work / "xlmr_final"
    xlmr = MultilingualCLIP.from_pretrained(path) if path.exists() else averaged(chosen.work)[1]
    xlmr.eval().requires_grad_(False)
    run = Run("inpaint", chosen, {"unet": unet}, peak=2e-3, decay=0.995, orthogonal=inner_matrix)
    context = use_short_context(unet)
    ac = schedule()
    samples = run.extra.setdefault("samples", 0)
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 10, step, rank))
        batch = batches.draw(rng, run.fraction)
        mask = draw_masks(batch, batches, tokenizers, rng)
        t = spread_times(len(mask))
        noise = torch.randn_like(batch.latents)
        level = ac[t][:, None, None, None]
        noisy = level.sqrt() * batch.latents + (1 - level).sqrt() * noise
        context.shorten(batch.ids.shape[1])
        with quick_precision():
            with torch.no_grad():
                embeds, hidden = xlmr(batch.ids, batch.mask)
            output = unet(
                torch.cat([noisy, batch.latents * mask, mask], 1),
                t,
                encoder_hidden_states=hidden,
                added_cond_kwargs={"text_embeds": embeds, "image_embeds": batch.image_embeds},
            ).sample.float()
        noise_pred, v = output.split(4, 1)
        error = ((noise_pred - noise).square() * (1.1 - mask)).mean((1, 2, 3))
        spread_loss = variance_loss(v, noise_pred, noise, t, ac)
        run.learn(noise_loss(error, t, ac) + 0.05 * spread_loss.clamp(max=20))
        samples += len(mask) * workers
        run.extra["samples"] = samples
        run.note(eps=error.mean().item(), kl=spread_loss.item())
    if not run.first:
        return
    run.finish()
    print(f"inpaint: {samples} samples")
    unet.save_pretrained(chosen.work / "inpaint")


if __name__ == "__main__":
    main(train, 2500, __doc__)
