"""What the engine is to reach, as ratios within one run, and what was reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from samples import Measurements, Part
from work import COMPILED, DIFFUSERS, ENGINE, IMAGE_STEPS, PRIOR_STEPS, REFERENCE_STEPS, TUNED

Value = Callable[[Measurements], float | None]


@dataclass(frozen=True)
class Target:
    title: str
    limit: float
    value: Value
    unit: str = ""
    at_least: bool = False  # True: the value has to reach the limit; False: to stay below it

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def ratio(part: str, competitor: str) -> Value:
    """Our time over theirs."""

    def value(found: Measurements) -> float | None:
        ours, theirs = found.median(part, ENGINE), found.median(part, competitor)
        return ours / theirs if ours and theirs else None

    return value


def efficiency(part: str) -> Value:
    """Our rate over the machine's best convolution rate in the same minutes."""

    def value(found: Measurements) -> float | None:
        ours = found.median(part, ENGINE)
        if not ours or not found.parts[part].flop or not found.parts[part].rate:
            return None
        return found.parts[part].flop / ours / found.parts[part].rate

    return value


def image_of_parts(
    found: Measurements, competitor: str, size: int, steps: int = REFERENCE_STEPS
) -> float | None:
    """A whole image of a competitor, worked out from its parts."""
    parts = {
        name: found.median(name, competitor)
        for name in ("text", "prior", f"unet-{size}", f"decode-{size}")
    }
    if any(value is None for value in parts.values()):
        return None
    parts[f"unet-{size}"] *= steps
    return sum(parts.values())


def image(found: Measurements) -> float | None:
    ours = found.median("image", ENGINE)
    if not ours:
        return None
    theirs = image_of_parts(found, DIFFUSERS, found.parts["image"].size)
    return ours / theirs if theirs else None


def image_growth(large: int, small: int) -> Value:
    """How much more an image of ours takes than as many pixels in small ones, of its parts."""

    def value(found: Measurements) -> float | None:
        top, base = (image_of_parts(found, ENGINE, s, IMAGE_STEPS) for s in (large, small))
        return top / base / (large / small) ** 2 if top and base else None

    return value


def planned_share(part: Part) -> float | None:
    """The peak memory that our engine planned, over the measured one."""
    ours = part.results.get(ENGINE)
    planned = ours.more.get("planned") if ours else None
    return planned[-1] / ours.median if ours and planned else None


def absolute(part: str) -> Value:
    return lambda found: found.median(part, ENGINE)


def growth(large: str, small: str, factor: float) -> Value:
    """How much more the large one takes than `factor` small ones."""

    def value(found: Measurements) -> float | None:
        top, base = found.median(large, ENGINE), found.median(small, ENGINE)
        return top / base / factor if top and base else None

    return value


def step_targets(size: int) -> tuple[Target, ...]:
    step, part = f"UNet guided step, {size} px", f"unet-{size}"
    return (
        Target(f"{step} / diffusers fp32", 0.20, ratio(part, DIFFUSERS)),
        Target(f"{step} / diffusers channels-last", 0.70, ratio(part, TUNED)),
    )


EFFICIENCY = Target(
    "UNet guided step, rate / the machine's best convolution",
    0.80,
    efficiency("unet-512"),
    at_least=True,
)
PRIOR = (
    Target(f"prior, {PRIOR_STEPS} guided steps / diffusers fp32", 0.06, ratio("prior", DIFFUSERS)),
    Target(
        f"prior, {PRIOR_STEPS} guided steps / diffusers channels-last", 0.22, ratio("prior", TUNED)
    ),
)
MEMORY = (
    Target("peak memory, one stage at a time, 512 px", 3.0, absolute("memory-one-stage"), "GB"),
    Target("peak memory, streamed, 512 px", 1.2, absolute("memory-streamed"), "GB"),
)


def resident_targets(size: int, part: str) -> tuple[Target, ...]:
    memory = f"peak memory, everything resident, {size} px"
    return (
        Target(f"{memory} / diffusers fp32", 0.50, ratio(part, DIFFUSERS)),
        Target(f"{memory} / diffusers channels-last", 0.85, ratio(part, TUNED)),
    )


def off_plan(found: Measurements) -> float | None:
    """The largest deviation of a planned peak from the measured one, relative."""
    shares = [
        abs(share - 1) for share in (planned_share(part) for part in found.parts.values()) if share
    ]
    return max(shares, default=None)


PLANNED = Target("peak memory, planned / measured, farthest from 1", 0.05, off_plan)


# By family.
TARGETS: dict[str, tuple[Target, ...]] = {
    "2.1": (
        *step_targets(512),
        Target("UNet guided step, 512 px / compiled", 0.85, ratio("unet-512", COMPILED)),
        EFFICIENCY,
        *PRIOR,
        Target("MoVQ decode, 512 px / diffusers channels-last", 0.60, ratio("decode-512", TUNED)),
        Target(
            f"whole image, 20 steps / diffusers fp32 with {REFERENCE_STEPS} steps", 1 / 18, image
        ),
        Target("warm start to the first step, texts encoded before", 3.0, absolute("start"), "s"),
        Target("UNet step, 1024 px / 4 steps of 512 px", 1.2, growth("unet-1024", "unet-512", 4.0)),
        Target(
            "MoVQ decode, 1024 px / 4 decodes of 512 px",
            1.2,
            growth("decode-1024", "decode-512", 4.0),
        ),
        Target("whole image, 1024 px / 4 of 512 px, of their parts", 1.2, image_growth(1024, 512)),
        Target("batch of 4 / single ones", 3.8, growth("batch-4", "batch-1", 1.0)),
        *MEMORY,
        PLANNED,
        Target("peak memory, 1024 px", 4.5, absolute("memory-1024"), "GB"),
    ),
    "2.2": (
        *step_targets(512),
        *step_targets(768),
        EFFICIENCY,
        Target(
            "UNet step, 768 px / 2.25 steps of 512 px", 1.2, growth("unet-768", "unet-512", 2.25)
        ),
        *PRIOR,
        *resident_targets(512, "memory"),
        *resident_targets(768, "memory-resident-768"),
        *MEMORY,
        PLANNED,
    ),
}
# Of both families, where fp32 is the faster type.
FP32_TARGETS = (
    Target("UNet guided step, 512 px / diffusers fp32", 0.33, ratio("unet-512", DIFFUSERS)),
    Target("UNet guided step, 512 px / compiled", 0.45, ratio("unet-512", COMPILED)),
    Target("MoVQ decode, 512 px / diffusers fp32", 0.50, ratio("decode-512", DIFFUSERS)),
)


def targets_of(found: Measurements) -> tuple[Target, ...]:
    return TARGETS[found.family] if found.faster_type == "bf16" else FP32_TARGETS
