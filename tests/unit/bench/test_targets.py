"""The targets: what is compared with what, and in which direction."""

import pytest
import targets
from samples import Measurements, Part, Result
from work import ENGINE, TUNED


def value(found: Measurements, title: str) -> float | None:
    (target,) = (target for target in targets.targets_of(found) if target.title == title)
    return target.value(found)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("UNet guided step, 512 px / diffusers fp32", 0.4),
        ("UNet guided step, 512 px / diffusers channels-last", 0.8),
        ("UNet guided step, rate / the machine's best convolution", 0.8),
        ("prior, 25 guided steps / diffusers fp32", 2.0 / 50),
        ("MoVQ decode, 512 px / diffusers channels-last", 0.5),
        # 0.7 + 50 + 100 x 10 + 12 seconds of theirs
        ("whole image, 20 steps / diffusers fp32 with 100 steps", 50 / 1062.7),
        ("UNet step, 1024 px / 4 steps of 512 px", 1.25),
        # 0.1 + 2 + 20 x 20 + 15 seconds, and 0.1 + 2 + 20 x 4 + 3
        ("whole image, 1024 px / 4 of 512 px, of their parts", 417.1 / 85.1 / 4),
        ("batch of 4 / single ones", 3.75),
    ],
)
def test_values(found: Measurements, title: str, expected: float) -> None:
    assert value(found, title) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("UNet guided step, 512 px / diffusers fp32", 0.4),
        ("UNet guided step, 768 px / diffusers channels-last", 0.45),
        ("UNet step, 768 px / 2.25 steps of 512 px", 1.0),
        ("prior, 25 guided steps / diffusers channels-last", 2.0 / 25),
        ("peak memory, everything resident, 512 px / diffusers fp32", 0.5),
        ("peak memory, everything resident, 768 px / diffusers channels-last", 0.9),
    ],
)
def test_values_of_2_2(found: Measurements, title: str, expected: float) -> None:
    found.family = "2.2"
    found.parts["unet-768"] = Part(
        "unet-768", "", results={ENGINE: Result([9.0]), TUNED: Result([20.0])}
    )
    found.parts["memory-resident-768"] = Part(
        "memory-resident-768", "", "GB", results={ENGINE: Result([9.0]), TUNED: Result([10.0])}
    )
    assert value(found, title) == pytest.approx(expected)


def test_a_machine_that_is_faster_in_fp32_has_its_own(found: Measurements) -> None:
    found.rates = {"convolution bf16": 1.6e11, "convolution fp32": 2.6e11}
    assert [target.limit for target in targets.targets_of(found)] == [0.33, 0.45, 0.5]
    assert value(found, "UNet guided step, 512 px / diffusers fp32") == pytest.approx(0.4)
    found.rates["convolution bf16"] = 4e11
    assert len(targets.targets_of(found)) > 10


def test_what_was_not_measured_has_no_value(found: Measurements) -> None:
    assert value(found, "UNet guided step, 512 px / compiled") is None
    assert value(found, "peak memory, streamed, 512 px") is None
    del found.parts["text"]
    assert value(found, "whole image, 20 steps / diffusers fp32 with 100 steps") is None
    found.parts["unet-512"].flop = 0
    assert value(found, "UNet guided step, rate / the machine's best convolution") is None


def test_planned_peaks_are_as_near_as_the_farthest(found: Measurements) -> None:
    title = "peak memory, planned / measured, farthest from 1"
    assert value(found, title) is None
    found.parts["memory"].results[ENGINE].more["planned"] = [7.14]
    assert value(found, title) == pytest.approx(0.02)
    found.parts["memory-streamed"] = Part(
        "memory-streamed", "", "GB", results={ENGINE: Result([1.0], more={"planned": [0.94]})}
    )
    assert value(found, title) == pytest.approx(0.06)


def test_a_limit_is_from_above_or_from_below() -> None:
    ratio = targets.Target("", 0.5, lambda _: None)
    share = targets.Target("", 0.5, lambda _: None, at_least=True)
    assert [ratio.is_met(0.4), ratio.is_met(0.5), ratio.is_met(0.6)] == [True, True, False]
    assert [share.is_met(0.4), share.is_met(0.5), share.is_met(0.6)] == [False, True, True]
