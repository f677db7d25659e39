"""Scenes with the finished image tower's embeddings, made once and kept in the work folder."""

from __future__ import annotations

import numpy as np
import torch
from common import EMBEDDING, Options, load, quick_precision, save
from scenes import Scene, attributes, random_scene
from train_vision import render
from transformers import CLIPVisionModelWithProjection

COUNT = 8_192
_PART = 128


class Embeddings:
    """scenes, values [N, 128] and truths [N, 10], all of the same N."""

    def __init__(
        self, chosen: Options, vision: CLIPVisionModelWithProjection, count: int = COUNT
    ) -> None:
        self.vision = vision
        self.scenes: list[Scene] = []
        self.values = torch.empty(0, EMBEDDING)
        path = chosen.work / "embeddings.pt"
        if path.exists():
            self.scenes, self.values = load(path)
        else:
            self.grow(np.random.default_rng((chosen.seed, 6)), count)
            save(path, (self.scenes, self.values))
        self.truths = np.stack([attributes(scene) for scene in self.scenes])

    @torch.no_grad()
    def grow(self, rng: np.random.Generator, count: int) -> None:
        """Draws and embeds more scenes; truths stay as they are."""
        values = [self.values]
        for start in range(0, count, _PART):
            scenes = [random_scene(rng) for _ in range(min(_PART, count - start))]
            self.scenes += scenes
            with quick_precision():
                values.append(self.vision(render(rng, scenes)).image_embeds.float())
        self.values = torch.cat(values)
