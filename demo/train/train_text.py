"""Trains the two text towers on captions alone and, CLIP's, against the finished image tower.

xlmr: the first lesson of the decoder's multilingual tower, which later goes on learning with the
UNet. Heads read from its embedding what a caption claims.
clip: CLIP's text tower. The image tower's own heads, frozen, must read the claims from it, and
InfoNCE draws it to the images that it describes: one space for both. Other captions that happen
to be true of an image do not count as wrong.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import vocabularies
from common import EMBEDDING, TOKENS, Options, Run, load, quick_precision
from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP
from embeddings import Embeddings
from scenes import attributes, random_description, random_scene, satisfied
from torch.nn import functional
from train_vision import Heads
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizerFast,
    CLIPVisionModelWithProjection,
    XLMRobertaTokenizerFast,
)
from workers import main, rank_and_size

BATCH = 96  # of each process
STEPS = 1200


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
        return self._run(self.clip, texts)

    def for_xlmr(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        return self._run(self.xlmr, texts)

    @staticmethod
    def _run(
        tokenizer: CLIPTokenizerFast | XLMRobertaTokenizerFast, texts: list[str]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        out = tokenizer(
            texts, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        return out.input_ids, out.attention_mask


def contrast(
    images: torch.Tensor, texts: torch.Tensor, true: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Symmetric InfoNCE. true [B, B]: caption j is true of image i, so it is no wrong answer."""
    logits = (
        scale.exp().clamp(max=50) * functional.normalize(images) @ functional.normalize(texts).T
    )
    target = torch.arange(len(logits))
    excused = true & ~torch.eye(len(logits), dtype=torch.bool)
    logits = logits.masked_fill(excused, -1e4)
    return (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2


def unit_size(embeds: torch.Tensor) -> torch.Tensor:
    """Pulls the mean square of embeddings to 1."""
    return (embeds.square().mean(1) - 1).square().mean()


def train_xlmr(chosen: Options) -> None:
    tokenizers = Tokenizers(chosen.work)
    modules = {"xlmr": MultilingualCLIP(xlmr_config(len(tokenizers.xlmr))), "heads": Heads()}
    xlmr, heads = modules.values()
    run = Run("xlmr", chosen, modules, peak=2e-3, decay=0.998)
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 8, step, rank_and_size()[0]))
        told = [random_description(random_scene(rng), rng) for _ in range(BATCH)]
        claims = torch.from_numpy(np.stack([attributes(claim) for _, claim in told]))
        with quick_precision():
            embeds = xlmr(*tokenizers.for_xlmr([text for text, _ in told]))[0].float()
        read = heads.loss(embeds, claims)
        run.learn(read + 0.05 * unit_size(embeds))
        run.note(read=read.item())
    if not run.first:
        return
    run.finish()
    xlmr.save_pretrained(chosen.work / "xlmr")


@torch.no_grad()
def report(
    text: CLIPTextModelWithProjection, tokenizers: Tokenizers, heads: Heads, known: Embeddings
) -> None:
    """Prints how often the nearest of 512 captions is true, and what heads read from captions."""
    rng = np.random.default_rng(10**6 + 2)
    known.grow(rng, 512)
    told = [random_description(scene, rng) for scene in known.scenes[-512:]]
    claims = np.stack([attributes(claim) for _, claim in told])
    truths = np.stack([attributes(scene) for scene in known.scenes[-512:]])
    ids, mask = tokenizers.for_clip([caption for caption, _ in told])
    texts = text(ids, mask).text_embeds
    best = (functional.normalize(known.values[-512:]) @ functional.normalize(texts).T).argmax(1)
    hits = satisfied(truths, claims)[np.arange(512), best.numpy()].mean()
    print(f"clip: best caption of 512 is true {hits:.3f}")
    for name, share in heads.right(texts, torch.from_numpy(claims)).items():
        print(f"clip: {name} read from the caption's embedding {share:.3f}")


def train_clip(chosen: Options) -> None:
    tokenizers = Tokenizers(chosen.work)
    vision = CLIPVisionModelWithProjection.from_pretrained(chosen.work / "vision").eval()
    heads = Heads()
    heads.load_state_dict(load(chosen.work / "vision.pt")["averages"]["heads"])
    heads.requires_grad_(False)
    known = Embeddings(chosen, vision)
    text = chosen.begin(
        CLIPTextModelWithProjection,
        "kandinsky-demo-prior/text_encoder",
        lambda: CLIPTextModelWithProjection(text_config(len(tokenizers.clip))),
    )
    scale = torch.nn.ParameterDict({"scale": torch.nn.Parameter(torch.tensor(2.3))})
    run = Run("clip", chosen, {"text": text, "scale": scale}, peak=2e-3, decay=0.998)
    for step in run.steps():
        rng = np.random.default_rng((chosen.seed, 9, step, rank_and_size()[0]))
        ones = rng.integers(len(known.scenes), size=BATCH)
        told = [random_description(known.scenes[i], rng) for i in ones]
        claims = np.stack([attributes(claim) for _, claim in told])
        true = torch.from_numpy(satisfied(known.truths[ones], claims))
        with quick_precision():
            ids, mask = tokenizers.for_clip([caption for caption, _ in told])
            embeds = text(ids, mask).text_embeds.float()
        read = heads.loss(embeds, torch.from_numpy(claims))
        same = contrast(known.values[ones], embeds, true, scale["scale"])
        run.learn(same + 0.5 * read + 0.05 * unit_size(embeds))
        run.note(same=same.item(), read=read.item())
    if not run.first:
        return
    run.finish()
    report(text, tokenizers, heads, known)
    text.save_pretrained(chosen.work / "text")


if __name__ == "__main__":
    main({"xlmr": train_xlmr, "clip": train_clip}, STEPS, __doc__)
