"""Makes the pool that UNets learn from: drawn scenes, encoded once, in files by size.

Each file ("shard") holds PART scenes, and the latents and the image embeddings of their images.
Captions are made anew each time an image is used. Small images that MoVQ turns into something
else are drawn anew: they would teach a UNet that some circles are called hexagons.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import judge
import numpy as np
import torch
from common import SIZE, Options, load, quick_precision, save, to_pixels, to_tensor
from diffusers import VQModel
from scenes import Claims, Scene, draw, random_scene
from train_vision import IMAGE, for_vision
from transformers import CLIPVisionModelWithProjection
from workers import main, mark_whole, rank_and_size

PART = 64
# (width, height), multiples of 64 -> share of the training steps, shards
BUCKETS: dict[tuple[int, int], tuple[float, int]] = {
    (128, 128): (0.46, 1000),
    (64, 64): (0.26, 320),
    (192, 128): (0.05, 64),
    (128, 192): (0.05, 64),
    (192, 192): (0.07, 64),
    (256, 256): (0.11, 96),
}
HARDEST = ("circle", "hexagon")  # of the shapes, the two that are nearest to each other
TRIES = 4  # to draw a small image whose shapes can be told


def _generator(chosen: Options, size: tuple[int, int], number: int) -> np.random.Generator:
    return np.random.default_rng((chosen.seed, 4, *size, number))


def _encoded(
    movq: VQModel, scenes: list[Scene], size: tuple[int, int], rng: np.random.Generator
) -> torch.Tensor:
    """Latents of the scenes' images, float16."""
    pixels = to_tensor(np.stack([draw(scene, *size, rng) for scene in scenes]))
    parts = pixels.contiguous(memory_format=torch.channels_last).split(16)
    with quick_precision():
        return torch.cat([movq.encode(part).latents for part in parts]).half()


def _is_shown(scene: Scene, pixels: np.ndarray) -> bool:
    """Whether an image shows a scene's things in their shapes. Compositions always do."""
    if scene.kind == "composition":
        return True
    verdict = judge.verdict(pixels, Claims(tuple((t.noun, t.color, None) for t in scene.things)))
    return verdict["count"] and verdict["shape"]


def _legible(
    movq: VQModel, size: tuple[int, int], rng: np.random.Generator
) -> tuple[list[Scene], torch.Tensor]:
    """Scenes as they come, but those that MoVQ cannot show drawn anew, and their latents."""
    scenes = [random_scene(rng, extra=HARDEST) for _ in range(PART)]
    latents = _encoded(movq, scenes, size, rng)
    todo = list(range(PART))
    for _ in range(TRIES):
        with quick_precision():
            shown = movq.decode(latents[todo].float(), force_not_quantize=True).sample
        images = to_pixels(shown)
        todo = [i for i, image in zip(todo, images, strict=True)
                if not _is_shown(scenes[i], image)]  # fmt: skip
        if not todo:
            break
        for i in todo:
            kind = scenes[i].kind
            scenes[i] = random_scene(rng, (float(kind == "single"), float(kind == "pair"), 0.0))
        latents[todo] = _encoded(movq, [scenes[i] for i in todo], size, rng)
    return scenes, latents


def scenes_of(chosen: Options, size: tuple[int, int], number: int) -> list[Scene]:
    """What a shard shows."""
    return load_shard(shard_path(chosen.work / "pool", size, number))[0]


def shard_path(folder: Path, size: tuple[int, int], number: int) -> Path:
    return folder / f"{size[0]}x{size[1]}-{number:04}.pt"


def load_shard(path: Path) -> tuple[list[Scene], Any, torch.Tensor]:
    """Scenes, their latents (in the folder of guesses: their captions), their embeddings.

    The scenes are read and not drawn again: with another seed or another random_scene they would
    be others than those of the images.
    """
    content = load(path)
    if len(content) != 3:
        raise ValueError(
            f"{path} does not hold its scenes, so nobody knows what its images show: "
            f"delete {path.parent}, it will be made again"
        )
    return content


class Pool:
    """All images of every size: scenes, latents float16 [N, 4, h, w], embeddings [N, 128]."""

    def __init__(self, chosen: Options) -> None:
        self.scenes: dict[tuple[int, int], list[Scene]] = {}
        self.latents: dict[tuple[int, int], torch.Tensor] = {}
        self.embeds: dict[tuple[int, int], torch.Tensor] = {}
        for size, (_, count) in BUCKETS.items():
            shards = [load_shard(shard_path(chosen.work / "pool", size, k)) for k in range(count)]
            scenes, latents, embeds = zip(*shards, strict=True)
            self.scenes[size] = [scene for part in scenes for scene in part]
            self.latents[size], self.embeds[size] = torch.cat(latents), torch.cat(embeds)

    def __len__(self) -> int:
        return sum(len(scenes) for scenes in self.scenes.values())


@torch.no_grad()
def make(chosen: Options) -> None:
    """Fills the pool. May be stopped and started at will."""
    movq = VQModel.from_pretrained(chosen.work / "movq").eval()
    movq = movq.to(memory_format=torch.channels_last)
    vision = CLIPVisionModelWithProjection.from_pretrained(chosen.work / "vision").eval()
    folder = chosen.work / "pool"
    folder.mkdir(exist_ok=True)
    rank, workers = rank_and_size()
    wanted = [(size, k) for size, (_, count) in BUCKETS.items() for k in range(count)]
    for done, (size, number) in enumerate(wanted[rank::workers], 1):
        path = shard_path(folder, size, number)
        if path.exists():
            continue
        rng = _generator(chosen, size, number)
        if min(size) < SIZE:
            scenes, latents = _legible(movq, size, rng)
        else:
            scenes = [random_scene(rng, extra=HARDEST) for _ in range(PART)]
            latents = _encoded(movq, scenes, size, rng)
        # What the image tower sees is always the square image.
        square = to_tensor(np.stack([draw(scene, IMAGE, IMAGE, rng) for scene in scenes]))
        embeds = vision(for_vision(square)).image_embeds
        save(path, (scenes, latents, embeds))
        if done % 20 == 0:
            print(f"pool: {done * workers} of {len(wanted)} shards", flush=True)
    mark_whole(folder)


if __name__ == "__main__":
    main(make, 0, __doc__)
