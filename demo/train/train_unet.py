"""Trains the decoder: the UNet together with its XLM-R text tower.

Latents of drawn scenes are encoded once by the finished MoVQ encoder and kept (`latents.pt`); the
store grows a little with every step, so that no picture is learned by heart. Captions are made anew
each time a picture is used. Half of the picture embeddings get noise, as the prior's will not be
exact. Left-out conditions are what the pipelines use for them: "" through XLM-R and the embedding
of an all-zero input to the image encoder, mostly both at once, which is the guidance's other half.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scenes
import torch
import torch.distributed as dist
import torch.multiprocessing
from common import EMBEDDING, TOKENS, Options, Run, load, prepare, save, to_tensor
from diffusers import UNet2DConditionModel, VQModel
from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
from torch.nn import functional
from train_clip import PICTURE, Tokenizers, for_vision
from transformers import CLIPVisionModelWithProjection

CONFIG = {
    "act_fn": "silu",
    "addition_embed_type": "text_image",
    "attention_head_dim": 16,
    "block_out_channels": [64, 96, 128, 128],
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
BATCH = 32
# (width, height), multiples of 64 -> share of the batches, pictures to begin with
BUCKETS = {
    (128, 128): (0.86, 1024),
    (64, 64): (0.02, 48),
    (192, 128): (0.03, 48),
    (128, 192): (0.03, 48),
    (192, 192): (0.04, 48),
    (256, 256): (0.02, 32),
}
GROWTH = 3  # new pictures per step


def schedule() -> torch.Tensor:
    """Cumulative products of alphas: 1000 steps, betas linear from 0.00085 to 0.012."""
    return torch.cumprod(1 - torch.linspace(0.00085, 0.012, 1000), 0)


class Store:
    """Encoded pictures by size. Picture i of a bucket is scene i of that bucket's own seed."""

    def __init__(self, chosen: Options) -> None:
        rank = dist.get_rank() if dist.is_initialized() else 0
        self.path = chosen.work / (f"latents_{rank}.pt" if rank else "latents.pt")
        self.seed = chosen.seed + 1000 * rank
        self.first = rank == 0
        self.movq = VQModel.from_pretrained(chosen.work / "movq").eval()
        self.latents: dict[tuple[int, int], list[torch.Tensor]] = {size: [] for size in BUCKETS}
        self.scenes: dict[tuple[int, int], list[scenes.Scene]] = {size: [] for size in BUCKETS}
        self.embeds: dict[tuple[int, int], list[torch.Tensor]] = {size: [] for size in BUCKETS}
        if self.path.exists():
            for size, latents in load(self.path).items():
                self.latents[size] = list(latents)

    def _rng(self, size: tuple[int, int], index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, 4, *size, index))

    @torch.no_grad()
    def grow(self, size: tuple[int, int], count: int) -> None:
        """Draws and encodes more pictures of a size."""
        start = len(self.latents[size])
        pixels = []
        for index in range(start, start + count):
            rng = self._rng(size, index)
            pixels.append(scenes.draw(scenes.random_scene(rng), *size, rng))
        self.latents[size] += self.movq.encode(to_tensor(np.stack(pixels))).latents.half()

    def fill(self) -> None:
        """Encodes what a run begins with, saving now and then."""
        for size, (_, wanted) in BUCKETS.items():
            # Other processes wait for the slowest; theirs may begin small, as stores grow anyway.
            start = wanted if self.first else max(16, wanted // 4)
            while (have := len(self.latents[size])) < start:
                self.grow(size, min(16, start - have))
                if len(self.latents[size]) % 512 == 0:
                    self.save()
            if self.first:
                print(f"unet: {len(self.latents[size])} pictures of {size[0]}x{size[1]}")
        self.save()

    def save(self) -> None:
        save(self.path, {s: torch.stack(v) for s, v in self.latents.items() if v})

    @torch.no_grad()
    def embed(self, vision: CLIPVisionModelWithProjection) -> None:
        """Notes truth and CLIP embedding, always of the square picture, where missing."""
        for size, known in self.embeds.items():
            while (start := len(known)) < len(self.latents[size]):
                pixels = []
                for index in range(start, min(start + 32, len(self.latents[size]))):
                    rng = self._rng(size, index)
                    scene = scenes.random_scene(rng)
                    self.scenes[size].append(scene)
                    pixels.append(scenes.draw(scene, PICTURE, PICTURE, rng))
                known.extend(vision(for_vision(to_tensor(np.stack(pixels)))).image_embeds)


def pad_hidden(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Widens [B, L, C] to the 77 rows that the UNet always sees: rows of padding are all alike.

    The batch needs a padded last row in the longest text, too: tokenise with one spare.
    """
    if mask[:, -1].any():
        raise ValueError("no padding row to repeat")
    return torch.cat([hidden, hidden[:, -1:].expand(-1, TOKENS - hidden.shape[1], -1)], 1)


def encode_text(
    xlmr: MultilingualCLIP, tokenizers: Tokenizers, texts: list[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """prompt_embeds [B, 128] and hidden states [B, 77, 128], computing one padding row only."""
    ids, mask = tokenizers.for_xlmr(texts)
    if ids.shape[1] < TOKENS:
        ids, mask = functional.pad(ids, (0, 1), value=1), functional.pad(mask, (0, 1), value=0)
    embeds, hidden = xlmr(ids, mask)
    if ids.shape[1] == TOKENS:
        return embeds, hidden
    return embeds, pad_hidden(hidden, mask)


def variance_loss(
    v: torch.Tensor,
    noise_pred: torch.Tensor,
    noise: torch.Tensor,
    t: torch.Tensor,
    ac: torch.Tensor,
) -> torch.Tensor:
    """Divergence of the model's step from the true one; only v learns from it.

    Source: Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models (2021).
    """
    before = torch.where(t > 0, ac[(t - 1).clamp(min=0)], torch.ones(()))[:, None, None, None]
    now = ac[t][:, None, None, None]
    beta = 1 - now / before
    true_var = ((1 - before) / (1 - now) * beta).clamp(min=1e-6)
    log_true, log_beta = true_var.log(), beta.clamp(min=1e-6).log()
    log_var = (v + 1) / 2 * (log_beta - log_true) + log_true
    # Means differ by their noise term only: beta / sqrt(alpha (1 - ac)) times the error.
    shift = beta / ((1 - beta) * (1 - now)).sqrt() * (noise_pred.detach() - noise)
    kl = 0.5 * (log_var - log_true + (true_var + shift.square()) / log_var.exp() - 1)
    return kl.mean()


def train(chosen: Options) -> None:
    tokenizers = Tokenizers(chosen.work)
    vision = CLIPVisionModelWithProjection.from_pretrained(chosen.work / "vision").eval()
    store = Store(chosen)
    store.fill()
    store.embed(vision)
    with torch.no_grad():
        zero = vision(torch.zeros(1, 3, PICTURE, PICTURE)).image_embeds[0]
    spread = torch.stack(store.embeds[128, 128]).std(0)

    unet = UNet2DConditionModel(**CONFIG)
    with torch.no_grad():
        unet.conv_out.weight.mul_(0.1)
        unet.conv_out.weight[4:] = 0
        unet.conv_out.bias.zero_()
    xlmr = MultilingualCLIP.from_pretrained(chosen.work / "xlmr")
    run = Run("unet", chosen, {"unet": unet, "xlmr": xlmr}, peak=8e-4, decay=0.999)
    ac = schedule()
    sizes, shares = list(BUCKETS), np.array([share for share, _ in BUCKETS.values()])

    rank = dist.get_rank() if dist.is_initialized() else 0
    torch.manual_seed(chosen.seed + 1000 * run.step + rank)
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 5, step, rank))
        size = sizes[int(rng.choice(len(sizes), p=shares))]
        count = max(8, min(BATCH, round(BATCH * 128 * 128 / (size[0] * size[1]))))
        store.grow(size, GROWTH if size == (128, 128) else 2)
        store.embed(vision)
        chosen_ones = rng.integers(len(store.latents[size]), size=count)
        latents = torch.stack([store.latents[size][i] for i in chosen_ones]).float()
        image_embeds = torch.stack([store.embeds[size][i] for i in chosen_ones])
        texts = [scenes.random_description(store.scenes[size][i], rng)[0] for i in chosen_ones]

        blur = torch.from_numpy(rng.uniform(0, 0.8, count) * (rng.random(count) < 0.5)).float()
        image_embeds = image_embeds + blur[:, None] * spread * torch.randn_like(image_embeds)
        lot = rng.random(count)
        for i in np.flatnonzero((lot < 0.09) | ((lot >= 0.09) & (lot < 0.12))):
            texts[i] = ""
        image_embeds[torch.from_numpy((lot < 0.09) | (lot > 0.95))] = zero

        t = torch.randint(0, 1000, (count,))
        noise = torch.randn_like(latents)
        level = ac[t][:, None, None, None]
        noisy = level.sqrt() * latents + (1 - level).sqrt() * noise
        with torch.autocast("cpu", torch.bfloat16):
            embeds, hidden = encode_text(xlmr, tokenizers, texts)
            output = unet(
                noisy,
                t,
                encoder_hidden_states=hidden,
                added_cond_kwargs={"text_embeds": embeds, "image_embeds": image_embeds},
            ).sample.float()
        noise_pred, v = output.split(4, 1)
        snr = ac[t] / (1 - ac[t])
        error = (noise_pred - noise).square().mean((1, 2, 3))
        loss = (error * (5 / snr).clamp(max=1)).mean()
        spread_loss = variance_loss(v, noise_pred, noise, t, ac)
        run.learn(loss + 0.1 * spread_loss)
        run.note(
            loss=loss.item(), eps=error.mean().item(), kl=spread_loss.item(),
            pictures=len(store.latents[128, 128]),
        )  # fmt: skip
        if step % 500 == 499:
            store.save()
    if not run.first:
        return
    store.save()
    run.finish()
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


def work_together(rank: int, workers: int, chosen: Options) -> None:
    """One of several processes of a training."""
    meeting = chosen.work / "meeting"
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=workers)
    prepare(chosen)
    train(chosen)
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=("encode", "train"), nargs="?", default="train")
    parser.add_argument("--work", type=Path, default=Options.work)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work")
    given = vars(parser.parse_args())
    phase, workers = given.pop("phase"), given.pop("workers")
    chosen = Options(**given)
    prepare(chosen)
    if phase == "encode":
        Store(chosen).fill()
    elif workers > 1:
        (chosen.work / "meeting").unlink(missing_ok=True)
        torch.multiprocessing.spawn(work_together, (workers, chosen), workers)
    else:
        train(chosen)


if __name__ == "__main__":
    main()
