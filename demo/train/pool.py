"""Makes the pool that UNets learn from: drawn scenes, encoded once, in files by size.

Each file ("shard") holds the latents of PART pictures; which scenes they are follows from its
number, so captions are made anew each time a picture is used. A training takes what is there and
looks for more now and then, so the pool may go on growing beside it.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch
from common import Options, load, options, save, to_tensor
from diffusers import VQModel
from scenes import Scene, draw, random_scene
from train_vision import for_vision
from transformers import CLIPVisionModelWithProjection

PART = 64
# (width, height), multiples of 64 -> share of the training steps, shards in a whole pool
BUCKETS: dict[tuple[int, int], tuple[float, int]] = {
    (128, 128): (0.64, 192),
    (64, 64): (0.14, 64),
    (192, 128): (0.05, 14),
    (128, 192): (0.05, 14),
    (192, 192): (0.06, 14),
    (256, 256): (0.06, 12),
}


def shard_seed(chosen: Options, size: tuple[int, int], number: int) -> np.random.Generator:
    return np.random.default_rng((chosen.seed, 4, *size, number))


def shard_scenes(chosen: Options, size: tuple[int, int], number: int) -> list[Scene]:
    rng = shard_seed(chosen, size, number)
    return [random_scene(rng) for _ in range(PART)]


def shard_path(folder: Path, size: tuple[int, int], number: int) -> Path:
    return folder / f"{size[0]}x{size[1]}-{number:04}.pt"


@torch.no_grad()
def make_shard(chosen: Options, movq: VQModel, size: tuple[int, int], number: int) -> torch.Tensor:
    """Latents, float16 [PART, 4, height / 8, width / 8]."""
    rng = shard_seed(chosen, size, number)
    scenes = [random_scene(rng) for _ in range(PART)]
    pixels = np.stack([draw(scene, *size, rng) for scene in scenes])
    parts = to_tensor(pixels).split(16)
    return torch.cat([movq.encode(part).latents for part in parts]).half()


class Pool:
    """What there is so far of every size: scenes, latents and picture embeddings."""

    def __init__(self, chosen: Options, vision: CLIPVisionModelWithProjection | None) -> None:
        self.chosen, self.vision = chosen, vision
        self.folder = chosen.work / "pool"
        self.scenes: dict[tuple[int, int], list[Scene]] = {size: [] for size in BUCKETS}
        self.latents = {s: torch.empty(0, 4, s[1] // 8, s[0] // 8).half() for s in BUCKETS}
        self.embeds = {size: torch.empty(0, 128) for size in BUCKETS}
        self.refresh()

    def __len__(self) -> int:
        return sum(len(scenes) for scenes in self.scenes.values())

    def sizes(self) -> list[tuple[int, int]]:
        return [size for size, scenes in self.scenes.items() if scenes]

    @torch.no_grad()
    def refresh(self, most: int = 1000) -> None:
        """Takes in up to so many new shards; embeds them, always as the square picture.

        Without a picture tower, embeddings are zeros.
        """
        for size in BUCKETS:
            while most > 0:
                number = len(self.scenes[size]) // PART
                path = shard_path(self.folder, size, number)
                if not path.exists():
                    break
                most -= 1
                scenes = shard_scenes(self.chosen, size, number)
                self.scenes[size] += scenes
                self.latents[size] = torch.cat([self.latents[size], load(path)])
                embeds = self._embed(scenes, path.with_suffix(".embeds"))
                self.embeds[size] = torch.cat([self.embeds[size], embeds])

    def _embed(self, scenes: list[Scene], path: Path) -> torch.Tensor:
        if self.vision is None:
            return torch.zeros(len(scenes), 128)
        if not path.exists():
            rng = np.random.default_rng(self.chosen.seed)
            pixels = np.stack([draw(scene, 128, 128, rng) for scene in scenes])
            save(path, self.vision(for_vision(to_tensor(pixels))).image_embeds)
        return load(path)


def make(chosen: Options) -> None:
    """Fills the pool, all sizes alongside. May be stopped and started at will."""
    movq = VQModel.from_pretrained(chosen.work / "movq").eval()
    folder = chosen.work / "pool"
    folder.mkdir(exist_ok=True)
    # In proportion: shard k of n stands at (k + 1) / n of the whole.
    order = sorted(
        itertools.chain.from_iterable(
            ((k / count, size, k) for k in range(count)) for size, (_, count) in BUCKETS.items()
        )
    )
    for done, (_, size, number) in enumerate(order, 1):
        path = shard_path(folder, size, number)
        if not path.exists():
            save(path, make_shard(chosen, movq, size, number))
        if done % 10 == 0:
            print(f"pool: {done} of {len(order)} shards", flush=True)
    (folder / "whole").touch()


if __name__ == "__main__":
    make(options(0, __doc__))
