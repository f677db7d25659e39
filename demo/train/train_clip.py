"""Trains CLIP (picture and text towers) and gives the XLM-R tower its first lesson.

Contrastive: each picture should find its caption in the batch and the reverse; other captions that
happen to be true of the picture do not count as wrong. Throw-away linear heads read every attribute
from picture and text embeddings alike, because the picture embedding is the narrow neck that all
later parts look through.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scenes
import torch
import vocabularies
from common import EMBEDDING, TOKENS, Options, Run, options
from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP
from torch.nn import functional
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizerFast,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    XLMRobertaTokenizerFast,
)

PICTURE = 60  # pixels that CLIP sees
MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))[:, None, None]
STD = torch.tensor((0.26862954, 0.26130258, 0.27577711))[:, None, None]
BATCH = 96
CLOSED = len(scenes.ATTRIBUTES)


def vision_config() -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=128, intermediate_size=512, projection_dim=EMBEDDING, num_hidden_layers=4,
        num_attention_heads=4, image_size=PICTURE, patch_size=12, hidden_act="quick_gelu",
    )  # fmt: skip


def text_config(vocabulary: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=EMBEDDING, intermediate_size=512,
        projection_dim=EMBEDDING, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=TOKENS, hidden_act="quick_gelu", pad_token_id=vocabulary - 1,
        bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1,
    )  # fmt: skip


def xlmr_config(vocabulary: int) -> MCLIPConfig:
    return MCLIPConfig(
        transformerDimSize=128, imageDimSize=EMBEDDING, vocab_size=vocabulary, hidden_size=128,
        num_hidden_layers=3, num_attention_heads=4, intermediate_size=512, hidden_act="gelu",
        max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1,
        bos_token_id=0, eos_token_id=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip


class Tokenizers:
    """Both tokenizers; batches are padded to their longest text only, which changes no result."""

    def __init__(self, work: Path) -> None:
        clip, xlmr = vocabularies.make(work)
        self.clip = CLIPTokenizerFast.from_pretrained(clip)
        self.xlmr = XLMRobertaTokenizerFast.from_pretrained(xlmr)

    def for_clip(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        out = self.clip(
            texts, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        return out.input_ids, out.attention_mask

    def for_xlmr(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        out = self.xlmr(
            texts, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        return out.input_ids, out.attention_mask


def for_vision(pixels: torch.Tensor) -> torch.Tensor:
    """[B, 3, H, W] in [-1, 1] to what the image processor makes of it."""
    if pixels.shape[-1] != PICTURE:
        pixels = functional.interpolate(
            pixels, size=(PICTURE, PICTURE), mode="bicubic", antialias=True, align_corners=False
        ).clamp(-1, 1)
    return (pixels * 0.5 + 0.5 - MEAN) / STD


class Heads(torch.nn.Module):
    """One linear readout per attribute. Thrown away after training."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs = torch.nn.ModuleList(
            torch.nn.Linear(EMBEDDING, len(options)) for options in scenes.ATTRIBUTES.values()
        )
        self.scale = torch.nn.Parameter(torch.tensor(2.3))

    def loss(self, embeds: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """answers: int64 [B, 8], -1 where nothing is claimed."""
        return sum(
            functional.cross_entropy(
                output(embeds), answers[:, i], ignore_index=-1, reduction="sum"
            )
            for i, output in enumerate(self.outputs)
        ) / len(embeds)

    def right(self, embeds: torch.Tensor, answers: torch.Tensor) -> list[float]:
        return [
            (output(embeds).argmax(1) == answers[:, i]).float().mean().item()
            for i, output in enumerate(self.outputs)
        ]


def contrast(
    pictures: torch.Tensor, texts: torch.Tensor, true: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Symmetric InfoNCE. true [B, B]: caption j is true of picture i, so it is no wrong answer."""
    logits = (
        scale.exp().clamp(max=50) * functional.normalize(pictures) @ functional.normalize(texts).T
    )
    target = torch.arange(len(logits))
    excused = true & ~torch.eye(len(logits), dtype=torch.bool)
    logits = logits.masked_fill(excused, -1e4)
    return (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2


def build(tokenizers: Tokenizers) -> dict[str, torch.nn.Module]:
    return {
        "vision": CLIPVisionModelWithProjection(vision_config()),
        "text": CLIPTextModelWithProjection(text_config(len(tokenizers.clip))),
        "xlmr": MultilingualCLIP(xlmr_config(len(tokenizers.xlmr))),
        "heads": Heads(),
    }


def make_batch(
    rng: np.random.Generator, count: int
) -> tuple[torch.Tensor, list[str], np.ndarray, np.ndarray]:
    truth = [scenes.random_scene(rng) for _ in range(count)]
    pixels = np.stack([scenes.draw(scene, PICTURE, PICTURE, rng) for scene in truth])
    told = [scenes.random_description(scene, rng) for scene in truth]
    picture = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    truths = np.stack([scenes.attributes(scene) for scene in truth])
    claims = np.stack([scenes.attributes(claim) for _, claim in told])
    return (picture - MEAN) / STD, [text for text, _ in told], truths, claims


@torch.no_grad()
def report(modules: dict[str, torch.nn.Module], tokenizers: Tokenizers) -> None:
    picture, texts, truths, claims = make_batch(np.random.default_rng(10**6 + 2), 512)
    image_embeds = modules["vision"](picture).image_embeds
    ids, mask = tokenizers.for_clip(texts)
    text_embeds = modules["text"](ids, mask).text_embeds
    best = (functional.normalize(image_embeds) @ functional.normalize(text_embeds).T).argmax(1)
    hits = scenes.satisfied(truths, claims)[np.arange(512), best.numpy()].mean()
    print(f"clip: best caption of 512 is true {hits:.3f}")
    right = modules["heads"].right(image_embeds, torch.from_numpy(truths))
    for name, value in zip(scenes.ATTRIBUTES, right, strict=True):
        print(f"clip: {name} read from the picture embedding {value:.3f}")


def train(chosen: Options) -> None:
    tokenizers = Tokenizers(chosen.work)
    modules = build(tokenizers)
    run = Run("clip", chosen, modules, peak=2e-3, decay=0.998)
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 3, step))
        picture, texts, truths, claims = make_batch(rng, BATCH)
        true = torch.from_numpy(scenes.satisfied(truths, claims))
        truths, claims = torch.from_numpy(truths), torch.from_numpy(claims)
        with torch.autocast("cpu", torch.bfloat16):
            image_embeds = modules["vision"](picture).image_embeds.float()
            clip_embeds = modules["text"](*tokenizers.for_clip(texts)).text_embeds.float()
            xlmr_embeds = modules["xlmr"](*tokenizers.for_xlmr(texts))[0].float()
        heads = modules["heads"]
        seen = heads.loss(image_embeds, truths)
        read = heads.loss(clip_embeds, claims) + heads.loss(xlmr_embeds, claims)
        same = contrast(image_embeds, clip_embeds, true, heads.scale)
        same_xlmr = contrast(image_embeds, xlmr_embeds, true, heads.scale)
        size = sum(
            (e.square().mean(1) - 1).square().mean()
            for e in (image_embeds, clip_embeds, xlmr_embeds)
        )
        run.learn(same + 0.5 * same_xlmr + 0.5 * seen + 0.25 * read + 0.05 * size)
        run.note(same=same.item(), xlmr=same_xlmr.item(), seen=seen.item(), read=read.item())
    run.finish()
    report(modules, tokenizers)
    for name in ("vision", "text", "xlmr"):
        modules[name].save_pretrained(chosen.work / name)


if __name__ == "__main__":
    train(options(15, __doc__))
