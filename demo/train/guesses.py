"""What the prior makes of captions of the pool's images, for the UNet to learn from.

A generated image's embedding never is a real image's: the prior guesses it from the text, and its
guidance pushes the guess beyond what images have. A UNet that has seen such guesses beside the
true image generates what was meant. Files ("shards") follow the pool's.
"""

from __future__ import annotations

import numpy as np
import torch
from common import Options, save
from diffusers import PriorTransformer
from pool import BUCKETS, PART, Pool, load_shard, scenes_of, shard_path
from scenes import random_description
from train_prior import guess
from train_text import Tokenizers
from transformers import CLIPTextModelWithProjection
from workers import main, mark_whole, rank_and_size

SHARE = 3  # of so many shards of a size, one is guessed
AT_ONCE = 4  # shards
STEPS = 15
GUIDANCE = (2.0, 6.0)  # drawn evenly between; people's own settings differ


def numbers(size: tuple[int, int]) -> range:
    """Which shards of a size have guesses."""
    return range(0, BUCKETS[size][1], SHARE)


def _shard(
    chosen: Options, pool: Pool, size: tuple[int, int], number: int
) -> tuple[list[str], torch.Tensor]:
    """Captions and embeddings of a shard. The pool may have been made again since."""
    path = shard_path(chosen.work / "guesses", size, number)
    scenes, texts, embeds = load_shard(path)
    if scenes != pool.scenes[size][number * PART : (number + 1) * PART]:
        raise ValueError(
            f"{path} is about other images than the pool has now: "
            f"delete {path.parent}, it will be made again"
        )
    return texts, embeds


class Guesses:
    """By size: captions and embeddings [N, 128] of the images whose places in the pool `ones`
    holds.
    """

    def __init__(self, chosen: Options, pool: Pool) -> None:
        self.ones: dict[tuple[int, int], np.ndarray] = {}
        self.texts: dict[tuple[int, int], list[str]] = {}
        self.embeds: dict[tuple[int, int], torch.Tensor] = {}
        for size in BUCKETS:
            shards = [_shard(chosen, pool, size, k) for k in numbers(size)]
            self.texts[size] = [text for texts, _ in shards for text in texts]
            self.embeds[size] = torch.cat([embeds for _, embeds in shards])
            self.ones[size] = np.concatenate(
                [np.arange(k * PART, (k + 1) * PART) for k in numbers(size)]
            )


def make(chosen: Options) -> None:
    """Fills the folder. May be stopped and started at will."""
    tokenizers = Tokenizers(chosen.work)
    text = CLIPTextModelWithProjection.from_pretrained(chosen.work / "text").eval()
    prior = PriorTransformer.from_pretrained(chosen.work / "prior").eval()
    folder = chosen.work / "guesses"
    folder.mkdir(exist_ok=True)
    rank, workers = rank_and_size()
    wanted = [(size, k) for size in BUCKETS for k in numbers(size)]
    # Shared out before looking what is there: that changes while others look.
    mine = [one for one in wanted[rank::workers] if not shard_path(folder, *one).exists()]
    for done in range(0, len(mine), AT_ONCE):
        part = mine[done : done + AT_ONCE]
        size, number = part[0]
        rng = np.random.default_rng((chosen.seed, 11, *size, number))
        scenes = [scene for one in part for scene in scenes_of(chosen, *one)]
        texts = [random_description(scene, rng)[0] for scene in scenes]
        guidance = torch.from_numpy(rng.uniform(*GUIDANCE, len(texts))).float()
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        embeds = guess(prior, text, tokenizers, texts, guidance, STEPS, generator)
        for i, one in enumerate(part):
            own = slice(i * PART, (i + 1) * PART)
            save(shard_path(folder, *one), (scenes[own], texts[own], embeds[own].clone()))
        made = done + len(part)
        print(f"guesses, process {rank}: {made} of {len(mine)} shards", flush=True)
    mark_whole(folder)


if __name__ == "__main__":
    main(make, 0, __doc__)
