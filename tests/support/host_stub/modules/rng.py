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
        made.append(self)

    def next(self):
        drawn = []
        for seed, subseed in zip(self.seeds, self.subseeds or self.seeds, strict=True):
            noise = randn(seed, self.shape)
            if self.subseed_strength:
                other = randn(subseed, self.shape)
                noise = torch.lerp(noise, other, self.subseed_strength)
            drawn.append(noise)
        return torch.stack(drawn)
