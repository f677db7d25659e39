"""What is measured: the pieces of work, by group, and who takes part in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

ENGINE = "engine"
DIFFUSERS = "diffusers"  # as it comes: fp32
TUNED = "tuned"  # diffusers in the machine's faster type, channels last
COMPILED = "compiled"  # the same through torch.compile, with frozen weights
OPENVINO = "openvino"  # diffusers' UNet converted, in bf16
OPENVINO_FP32 = "openvino-fp32"
LABELS = {
    ENGINE: "this engine",
    DIFFUSERS: "diffusers, fp32",
    TUNED: "diffusers, {type}, channels-last",
    COMPILED: "diffusers, compiled",
    OPENVINO: "OpenVINO, bf16",
    OPENVINO_FP32: "OpenVINO, fp32",
}
COMPETITORS = tuple(LABELS)
OPENVINOS = (OPENVINO, OPENVINO_FP32)
ON_REQUEST = (COMPILED, *OPENVINOS)  # they take minutes to prepare
OF_UNET_ONLY = ON_REQUEST


def label(competitor: str, faster_type: str) -> str:
    """For tables. faster_type: see Measurements."""
    return LABELS[competitor].format(type=faster_type)


GROUPS = ("text", "prior", "unet", "batch", "steps", "movq", "load", "image", "memory")
IMAGE_STEPS = 20  # of DPM++ 2M, ours
REFERENCE_STEPS = 100  # diffusers' own default
PRIOR_STEPS = 25


@dataclass(frozen=True)
class Work:
    """One piece of work: what workers are asked, how often, and what they have loaded."""

    name: str
    title: str
    stage: str  # what is loaded for it: text, prior, unet, movq
    do: str
    fields: dict[str, Any] = field(default_factory=dict)
    competitors: tuple[str, ...] = COMPETITORS
    size: int = 0
    batch: int = 1
    steps: int = 0

    def fields_for(self, competitor: str) -> dict[str, Any]:
        """What the competitor is asked with. One step at a time of what takes long."""
        if competitor == DIFFUSERS and self.do == "unet":
            return {**self.fields, "steps": 1}
        return self.fields


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    sizes: Sequence[int] = (512, 768, 1024)
    batches: Sequence[int] = (1, 2, 4)
    rounds: int = 3
    slow_up_to: int = 768  # diffusers in fp32 takes part up to this size

    def rounds_of(self, competitor: str, work: Work) -> int:
        """Fewer for what takes long."""
        is_large = work.size > self.sizes[0]
        if competitor == DIFFUSERS and work.stage in ("unet", "movq"):
            return 1 if is_large else min(self.rounds, 2)
        return min(self.rounds, 2) if is_large else self.rounds

    def is_warmed_up(self, competitor: str, work: Work) -> bool:
        """Whether a round that does not count comes first. Not where one takes ten seconds and
        more: what a first run prepares is nothing beside that."""
        is_slow = competitor == DIFFUSERS and work.stage in ("unet", "movq")
        return self.rounds > 1 and not is_slow and work.size <= self.sizes[0]


def _sized(extent: Extent, stage: str, do: str, title: str) -> Iterator[Work]:
    for size in extent.sizes:
        slow = () if size > extent.slow_up_to else (DIFFUSERS,)
        fields = {"size": size, "batch": 1}
        if do == "unet":
            fields["steps"] = 2 if size == extent.sizes[0] else 1
        of_unet = OF_UNET_ONLY if do == "unet" and size == extent.sizes[0] else ()
        yield Work(
            f"{do}-{size}",
            f"{title}, {size} px",
            stage,
            do,
            fields,
            (ENGINE, *slow, TUNED, *of_unet),
            size=size,
        )


def plan(groups: Sequence[str], extent: Extent) -> list[Work]:
    """The work of these groups, those that need the same networks one after the other."""
    base = extent.sizes[0]
    works: list[Work] = []
    if "text" in groups:
        title = "text encoding, a prompt and a negative prompt"
        works.append(Work("text", title, "text", "text", {}, (ENGINE, DIFFUSERS, TUNED)))
    if "prior" in groups:
        works.append(
            Work(
                "prior",
                f"prior, {PRIOR_STEPS} guided steps",
                "prior",
                "prior",
                {"steps": 2},
                (ENGINE, DIFFUSERS, TUNED),
                steps=PRIOR_STEPS,
            )
        )
    if "unet" in groups:
        works += _sized(extent, "unet", "unet", "UNet, one guided step")
    if "batch" in groups:
        works += [
            Work(
                f"batch-{batch}",
                f"UNet, one guided step of {batch}, {base} px",
                "unet",
                "unet",
                {"size": base, "batch": batch, "steps": 1},
                (ENGINE, TUNED),
                size=base,
                batch=batch,
            )
            for batch in extent.batches
        ]
    if "steps" in groups:
        works += [
            Work(
                f"steps-{steps}",
                f"denoise, steps: {steps}, {base} px",
                "unet",
                "steps",
                {"size": base, "steps": steps},
                (ENGINE,),
                size=base,
                steps=steps,
            )
            for steps in (1, 2, 4, 8)
        ]
    if "movq" in groups:
        works += _sized(extent, "movq", "decode", "MoVQ decode")
        works += _sized(extent, "movq", "encode", "MoVQ encode")
    return works
