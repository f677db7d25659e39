"""What a run measures, and what it spares."""

import pytest
from bench import competitors
from options import parse
from work import (
    COMPETITORS,
    COMPILED,
    DIFFUSERS,
    ENGINE,
    GROUPS,
    OPENVINO,
    OPENVINO_FP32,
    TUNED,
    Extent,
    plan,
)

WHOLE = plan(GROUPS, Extent())


def names(groups: list[str], extent: Extent) -> list[str]:
    return [work.name for work in plan(groups, extent)]


def test_a_whole_run_has_every_size_batch_and_step_count() -> None:
    assert [work.name for work in WHOLE] == [
        *("text", "prior", "unet-512", "unet-768", "unet-1024", "batch-1", "batch-2", "batch-4"),
        *("steps-1", "steps-2", "steps-4", "steps-8"),
        *("decode-512", "decode-768", "decode-1024", "encode-512", "encode-768", "encode-1024"),
    ]


def test_groups_and_sizes_can_be_chosen() -> None:
    assert names(["unet"], Extent(sizes=[768])) == ["unet-768"]
    assert names(["batch"], Extent(batches=[3])) == ["batch-3"]
    assert names(["load"], Extent()) == []


def test_the_networks_are_loaded_once_each() -> None:
    stages = [work.stage for work in WHOLE]
    changes = [stage for i, stage in enumerate(stages) if i == 0 or stages[i - 1] != stage]
    assert changes == ["text", "prior", "unet", "movq"]


def test_slow_competitors_are_spared() -> None:
    by_name = {work.name: work for work in WHOLE}
    assert DIFFUSERS in by_name["unet-768"].competitors
    assert DIFFUSERS not in by_name["unet-1024"].competitors
    for name in (COMPILED, OPENVINO, OPENVINO_FP32):
        assert [work.name for work in WHOLE if name in work.competitors] == ["unet-512"]
    extent = Extent()
    rounds = {
        name: (
            extent.rounds_of(name, by_name["unet-512"]),
            extent.rounds_of(name, by_name["unet-768"]),
        )
        for name in (ENGINE, DIFFUSERS, TUNED)
    }
    assert rounds == {ENGINE: (3, 2), DIFFUSERS: (2, 1), TUNED: (3, 2)}
    assert by_name["unet-512"].fields_for(ENGINE)["steps"] == 2
    assert by_name["unet-512"].fields_for(DIFFUSERS)["steps"] == 1
    assert extent.is_warmed_up(TUNED, by_name["unet-512"])
    assert not extent.is_warmed_up(DIFFUSERS, by_name["unet-512"])
    assert not Extent(rounds=1).is_warmed_up(TUNED, by_name["unet-512"])


COMPETITORS_IN_FP32 = [name for name in COMPETITORS if name != OPENVINO]


@pytest.mark.parametrize(
    ("arguments", "with_bf16", "with_fp32"),
    [
        ([], [ENGINE, DIFFUSERS, TUNED], [ENGINE, DIFFUSERS, TUNED]),
        (["--openvino", "--compiled"], [*COMPETITORS], [*COMPETITORS_IN_FP32]),
        (["--against", OPENVINO, ENGINE], [ENGINE, OPENVINO], [ENGINE]),
        (["--against", ENGINE, "--compiled"], [ENGINE, COMPILED], [ENGINE, COMPILED]),
    ],
)
def test_who_takes_part(arguments: list[str], with_bf16: list[str], with_fp32: list[str]) -> None:
    options = parse(arguments)
    assert competitors(options, "bf16") == with_bf16
    assert competitors(options, "fp32") == with_fp32


@pytest.mark.parametrize(
    "arguments", [["--sizes", "500"], ["--repeats", "0"], ["--batches", "0"], ["--only", "tea"]]
)
def test_bad_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert arguments[0] in capsys.readouterr().err
