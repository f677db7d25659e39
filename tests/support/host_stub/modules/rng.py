import torch

made = []


def randn(seed, shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(seed)))


class ImageRNG:
    def __init__(
        self,
        shape,
        seeds,
        subseeds=None,
        subseed_strength=0.0,
        seed_resize_from_h=0,
        seed_resize_from_w=0,
    ):
        self.shape = tuple(shape)
        self.seeds = seeds
        self.subseeds = subseeds
        self.subseed_strength = subseed_strength
        self.resized = seed_resize_from_w > 0 and seed_resize_from_h > 0
        self.from_shape = (shape[0], seed_resize_from_h // 8, seed_resize_from_w // 8)
        made.append(self)

    def next(self):
        drawn = []
        for seed, subseed in zip(self.seeds, self.subseeds or self.seeds, strict=True):
            shape = self.from_shape if self.resized else self.shape
            noise = randn(seed, shape)
            if self.subseed_strength:
                noise = torch.lerp(noise, randn(subseed, shape), self.subseed_strength)
            drawn.append(self._placed(noise, seed))
        return torch.stack(drawn)

    def _placed(self, noise, seed):
        """The noise of another size in the middle of this one's."""
        if not self.resized:
            return noise
        whole = randn(seed, self.shape)
        height, width = min(noise.shape[1], self.shape[1]), min(noise.shape[2], self.shape[2])
        to = ((self.shape[1] - height) // 2, (self.shape[2] - width) // 2)
        of = ((noise.shape[1] - height) // 2, (noise.shape[2] - width) // 2)
        whole[:, to[0] : to[0] + height, to[1] : to[1] + width] = noise[
            :, of[0] : of[0] + height, of[1] : of[1] + width
        ]
        return whole
