"""Trains CLIP's image tower to see, before any text comes in.

Throw-away heads ask two things of it. Of every patch token: which shape and colour stands here.
That teaches a small transformer shape far faster than a loss on the whole image. Of the
projected embedding, through one linear map: every attribute, where things are and how large.
This embedding is the narrow neck that all later parts look through. It never starts from a finished
model: the heads, which the text tower learns from, are not kept there.
"""

from __future__ import annotations

import numpy as np
import torch
from common import EMBEDDING, Options, Run, quick_precision
from scenes import truth, world
from scenes.draw import draw
from torch.nn import functional
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from workers import main, rank_and_size

IMAGE = 128  # pixels that CLIP sees
PATCH = 16
MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))[:, None, None]
STD = torch.tensor((0.26862954, 0.26130258, 0.27577711))[:, None, None]
BATCH = 48  # of each process
STEPS = 1420
NOTHING = list(truth.ATTRIBUTES["kind"]).index("nothing")


def vision_config() -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=128, intermediate_size=512, projection_dim=EMBEDDING, num_hidden_layers=4,
        num_attention_heads=4, image_size=IMAGE, patch_size=PATCH, hidden_act="quick_gelu",
    )  # fmt: skip


def for_vision(pixels: torch.Tensor) -> torch.Tensor:
    """[B, 3, H, W] in [-1, 1] to what the image processor makes of it."""
    if pixels.shape[-1] != IMAGE:
        pixels = functional.interpolate(
            pixels, size=(IMAGE, IMAGE), mode="bicubic", antialias=True, align_corners=False
        ).clamp(-1, 1)
    return (pixels * 0.5 + 0.5 - MEAN) / STD


class Heads(torch.nn.Module):
    """Linear readouts of the embedding. Thrown away after training."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs = torch.nn.ModuleList(
            torch.nn.Linear(EMBEDDING, len(answers)) for answers in truth.ATTRIBUTES.values()
        )
        self.presence = torch.nn.Linear(EMBEDDING, len(world.SHAPES) + len(world.THING_COLORS))
        self.geometry = torch.nn.Linear(EMBEDDING, 6)

    def loss(self, embeds: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Sum over the attributes; answers: int64 [B, 10], -1 where nothing is claimed."""
        return sum(
            functional.cross_entropy(
                output(embeds), answers[:, i], ignore_index=-1, reduction="sum"
            )
            for i, output in enumerate(self.outputs)
        ) / len(embeds)

    def seen(
        self, embeds: torch.Tensor, presence: torch.Tensor, geometry: torch.Tensor
    ) -> torch.Tensor:
        """Presence and, in canvas widths, places and radii where there are any."""
        there = functional.binary_cross_entropy_with_logits(self.presence(embeds), presence)
        known = ~geometry.isnan()
        error = (self.geometry(embeds) - geometry.nan_to_num()).abs()[known]
        return 3 * there + 10 * error.sum() / len(embeds)

    def right(self, embeds: torch.Tensor, answers: torch.Tensor) -> dict[str, float]:
        """Share of right answers by attribute, where there is one."""
        out = {}
        for i, (name, output) in enumerate(zip(truth.ATTRIBUTES, self.outputs, strict=True)):
            asked = answers[:, i] >= 0
            guess = output(embeds).argmax(1)
            out[name] = (guess == answers[:, i])[asked].float().mean().item()
        return out


class PatchHeads(torch.nn.Module):
    """Linear readouts of every patch token. Thrown away after training."""

    def __init__(self) -> None:
        super().__init__()
        self.noun = torch.nn.Linear(128, len(truth.PATCH_NOUNS))
        self.color = torch.nn.Linear(128, len(truth.PATCH_COLORS))

    def loss(
        self, tokens: torch.Tensor, nouns: torch.Tensor, colors: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # Ground is everywhere; things weigh more.
        weight = (nouns > 0).float() + 0.2
        losses = (
            functional.cross_entropy(head(tokens).flatten(0, 1), answer.flatten(), reduction="none")
            for head, answer in ((self.noun, nouns), (self.color, colors))
        )
        first, second = ((x * weight.flatten()).sum() / weight.sum() for x in losses)
        return first, second


def render(rng: np.random.Generator, scenes: list[world.Scene]) -> torch.Tensor:
    """Images as the tower gets them: of its size, or smaller and made larger; some with noise."""
    side = IMAGE if rng.random() < 0.85 else IMAGE // 2
    pixels = np.stack([draw(scene, side, side, rng) for scene in scenes])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    noise = torch.from_numpy(rng.uniform(0, 0.08, len(scenes)) * (rng.random(len(scenes)) < 0.4))
    images += noise.float()[:, None, None, None] * torch.randn_like(images)
    return for_vision(images)


def look(
    vision: CLIPVisionModelWithProjection, images: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """image_embeds [B, 128] and the normalised patch tokens [B, 64, 128]."""
    out = vision(images)
    tokens = vision.vision_model.post_layernorm(out.last_hidden_state[:, 1:])
    return out.image_embeds.float(), tokens.float()


@torch.no_grad()
def report(vision: CLIPVisionModelWithProjection, heads: Heads) -> None:
    rng = np.random.default_rng(10**6 + 2)
    for name, make in (("singles", world.random_single), ("pairs", world.random_pair)):
        scenes = [make(rng) for _ in range(512)]
        embeds = vision(render(rng, scenes)).image_embeds
        answers = torch.from_numpy(np.stack([truth.attributes(scene) for scene in scenes]))
        for attribute, share in heads.right(embeds, answers).items():
            print(f"vision: {name}: {attribute} read from the embedding {share:.3f}")


def inner_matrix(name: str, value: torch.Tensor) -> bool:
    """Whether Muon is for a weight: the transformer's matrices."""
    return value.ndim == 2 and "layers." in name


def train(chosen: Options) -> None:
    modules = {
        "vision": CLIPVisionModelWithProjection(vision_config()),
        "heads": Heads(),
        "patches": PatchHeads(),
    }
    vision, heads, patch_heads = modules.values()
    vision.set_attn_implementation("eager")  # quicker than fused kernels for 65 tokens
    run = Run("vision", chosen, modules, peak=2e-3, decay=0.998, orthogonal=inner_matrix)
    rank, _ = rank_and_size()
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 3, step, rank))
        scenes = [world.random_scene(rng) for _ in range(BATCH)]
        images = render(rng, scenes)
        answers = torch.from_numpy(np.stack([truth.attributes(scene) for scene in scenes]))
        presence = torch.from_numpy(np.stack([truth.presence(scene) for scene in scenes]))
        geometry = torch.from_numpy(np.stack([truth.geometry(scene) for scene in scenes]))
        nouns, colors = (
            torch.from_numpy(np.stack(maps))
            for maps in zip(
                *(truth.patches(scene, IMAGE // PATCH) for scene in scenes), strict=True
            )
        )
        # The all-zero image is the pipelines' unconditional side: it needs a place of its own.
        images[0], answers[0] = 0, -1
        answers[0, 0], presence[0], geometry[0] = NOTHING, 0, torch.nan
        with quick_precision():
            embeds, tokens = look(vision, images)
        noun, color = patch_heads.loss(tokens[1:], nouns.flatten(1)[1:], colors.flatten(1)[1:])
        told = heads.loss(embeds, answers)
        seen = heads.seen(embeds, presence, geometry)
        size = (embeds.square().mean(1) - 1).square().mean()
        run.learn(2 * noun + color + 0.5 * told + 0.5 * seen + 0.05 * size)
        run.note(patch=noun.item(), told=told.item(), seen=seen.item(), size=size.item())
        if step % 250 == 249:
            run.note(**{k.replace(" ", "_"): v for k, v in heads.right(embeds, answers).items()})
    if not run.first:
        return
    run.finish()
    report(vision, heads)
    vision.save_pretrained(chosen.work / "vision")


if __name__ == "__main__":
    main(train, STEPS, __doc__)
