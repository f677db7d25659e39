"""A decoder of Kandinsky 2.2 made from one of 2.1, without any training.

2.1 believes its text more than its image embedding. So the tokens that 2.2 makes of the embedding
become what XLM-R's states of a fixed caption would be, as far as a linear map can tell them from
the embedding: each token stands for one word of it. The first ten are 2.1's own image tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from common import EMBEDDING
from diffusers import UNet2DConditionModel
from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
from scenes import Scene, article
from scenes.truth import in_order
from train_text import Tokenizers

TOKENS = 32  # of the image embedding; fixed by diffusers
OWN = 10  # of these, 2.1's image tokens
LONGEST = 40  # caption, with padding after it
AT_ONCE = 256
ZERO_SHARE = 12  # one in so many samples stands for no condition

Words = list[tuple[str, str]]
"""Words and what they tell; "": nothing that differs from image to image."""
ROLES = ("color", "noun", "size", "place", "color 2", "noun 2", "ground", "ground 2")
_PLACES = {
    "center": "in the center", "left": "on the left", "right": "on the right",
    "top": "at the top", "bottom": "at the bottom", "top left": "in the top left corner",
    "top right": "in the top right corner", "bottom left": "in the bottom left corner",
    "bottom right": "in the bottom right corner",
}  # fmt: skip


def caption(scene: Scene) -> Words:
    """Everything about a scene, always in the same words; of a pair, the left or upper first."""
    said: Words = []

    def say(words: str, role: str = "") -> None:
        said.extend((word, role) for word in words.split())

    if scene.kind == "composition":
        for words, role in (
            ("an", ""), ("abstract", "size"), ("composition", "noun"), ("of", ""),
            ("lines,", "color"), ("circles", "noun 2"), ("and", ""), ("triangles", "color 2"),
        ):  # fmt: skip
            say(words, role)
    else:
        for thing, number in zip(in_order(scene), ("", " 2"), strict=False):
            if number:
                say("left of" if scene.relation in {"left", "right"} else "above", "place")
            size = "" if thing.size == "medium" else thing.size
            say(article(size or thing.color).split()[0])
            say(size, "size")
            say(thing.color, f"color{number}")
            say(thing.noun, f"noun{number}")
        if scene.kind == "single":
            say(_PLACES[scene.things[0].cell], "place")
    top, bottom = scene.ground
    say("on a" if top != bottom else f"on {article(top).split()[0]}")
    say(top, "ground")
    if top != bottom:
        say("to")
        say(bottom, "ground 2")
    say("background" if top == bottom else "gradient")
    return said


@dataclass
class Texts:
    """What XLM-R makes of captions: pooled [N, width] and the tokens' states [N, 22, width]."""

    pooled: torch.Tensor
    rows: torch.Tensor


@torch.no_grad()
def read(work: Path, captions: Sequence[Words]) -> Texts:
    """The tokens are start, end, each role's mean, each role's last piece, and padding: also for
    roles that a caption does not have.
    """
    tokenizer = Tokenizers(work).xlmr
    xlmr = MultilingualCLIP.from_pretrained(work / "xlmr_final").eval()
    pooled, rows = [], []
    for first in range(0, len(captions), AT_ONCE):
        part = captions[first : first + AT_ONCE]
        texts = [" ".join(word for word, _ in words) for words in part]
        ids = tokenizer(texts, padding="max_length", max_length=LONGEST, return_tensors="pt")
        whole, states = xlmr(ids.input_ids, ids.attention_mask)
        pooled.append(whole)
        for i, words in enumerate(part):
            row = states[i, -1].repeat(TOKENS - OWN, 1)
            row[0], row[1] = states[i, 0], states[i, int(ids.attention_mask[i].sum()) - 1]
            pieces = ids.word_ids(i)
            for k, role in enumerate(ROLES):
                named = [number for number, (_, told) in enumerate(words) if told == role]
                at = [j for j, word in enumerate(pieces) if word in named]
                if at:
                    row[2 + k] = states[i, at].mean(0)
                    row[2 + len(ROLES) + k] = states[i, at[-1]]
            rows.append(row)
    return Texts(torch.cat(pooled), torch.stack(rows))


def fit(inputs: torch.Tensor, outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of the linear map that comes nearest."""
    mean, spread = inputs.mean(0), inputs.std(0)
    ones = torch.ones(len(inputs), 1)
    given = torch.cat([(inputs - mean) / spread, ones], 1).double()
    small = 1e-3 * len(given) * torch.eye(given.shape[1], dtype=torch.float64)
    solution = torch.linalg.solve(given.T @ given + small, given.T @ outputs.double()).float()
    weight = (solution[:-1] / spread[:, None]).T
    return weight, solution[-1] - weight @ mean


@torch.no_grad()
def decoder_2_2(
    unet: UNet2DConditionModel, config: dict, embeds: torch.Tensor, texts: Texts
) -> UNet2DConditionModel:
    """unet: of 2.1. config: of 2.2, its cross_attention_dim may be smaller. embeds: of images whose
    captions the texts are.

    2.2 normalises its tokens and what it adds to the time. So tokens are given along the directions
    in which 2.1's vary most, each in units of its spread; then normalising hardly changes them.
    """
    state = unet.state_dict()
    old, time = unet.encoder_hid_proj, unet.add_embedding
    own = old.image_embeds
    weight, bias = fit(embeds, old.text_proj(texts.rows).flatten(1))
    weight = torch.cat([own.weight, weight]).unflatten(0, (TOKENS, EMBEDDING))
    bias = torch.cat([own.bias, bias]).unflatten(0, (TOKENS, EMBEDDING))
    tokens = (torch.einsum("tcd,nd->ntc", weight, embeds[:: len(embeds) // 700]) + bias).flatten(
        0, 1
    )
    mean = tokens.mean(0)
    _, spread, axes = torch.linalg.svd(tokens - mean, full_matrices=False)
    width = config["cross_attention_dim"]
    basis, scale = axes[:width], spread[:width] / len(tokens) ** 0.5
    white = basis / scale[:, None]
    state["encoder_hid_proj.image_embeds.weight"] = (white @ weight).flatten(0, 1)
    state["encoder_hid_proj.image_embeds.bias"] = ((bias - mean) @ white.T).flatten()
    state["encoder_hid_proj.norm.weight"] = scale
    state["encoder_hid_proj.norm.bias"] = torch.zeros(width)
    for name in list(state):
        if name.endswith(("add_k_proj.weight", "add_v_proj.weight")):
            state[name.replace("weight", "bias")] += state[name] @ mean
            state[name] = state[name] @ basis.T
    weight, bias = fit(
        embeds, time.image_proj(embeds) + time.text_norm(time.text_proj(texts.pooled))
    )
    added = embeds @ weight.T + bias
    mean, scale = added.mean(0), added.std(0)
    state["add_embedding.image_proj.weight"] = weight / scale[:, None]
    state["add_embedding.image_proj.bias"] = (bias - mean) / scale
    state["add_embedding.image_norm.weight"] = scale
    state["add_embedding.image_norm.bias"] = mean
    new = UNet2DConditionModel(**config)
    new.load_state_dict({name: state[name] for name in new.state_dict()})
    return new


def converted(
    work: Path,
    unet: UNet2DConditionModel,
    config: dict,
    scenes: Sequence[Scene],
    embeds: torch.Tensor,
    zero: torch.Tensor,
) -> UNet2DConditionModel:
    """zero: the embedding that stands for no condition, as "" does in 2.1."""
    count = len(scenes) // ZERO_SHARE
    texts = read(work, [caption(scene) for scene in scenes] + [[]] * count)
    return decoder_2_2(unet, config, torch.cat([embeds, zero.expand(count, -1)]), texts)
