"""Measurements as Markdown."""

import pytest
import table
from samples import Measurements, Result


def row(text: str, title: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {title}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123 s"), (1.234, "1.23 s"), (45.67, "45.7 s"), (1062.7, "1063 s")],
)
def test_values_have_three_digits(value: float, text: str) -> None:
    assert table.in_unit(value, "s") == text


def test_an_amount_tells_its_spread_and_what_was_counted_several_times() -> None:
    assert table.amount(Result([4.0]), "s") == "4.00 s"
    assert table.amount(Result([9.0, 10.0, 12.0]), "s") == "10.0 s ±15 %"
    assert table.amount(Result([2.0], times=25), "s") == "50.0 s (25 x one)"
    streamed = Result([1.1], more={"step": [6.5]})
    assert table.amount(streamed, "GB") == "1.10 GB (6.50 s a step)"


def test_ours_stands_beside_each_of_the_others(found: Measurements) -> None:
    text = table.report(found)
    assert row(text, "title of unet-512")[1:] == ["4.00 s", "10.0 s", "0.40", "5.00 s", "0.80"]
    assert row(text, "title of unet-1024")[1:] == ["20.0 s", "-", "-", "-", "-"]
    assert "compiled" not in text.split("### Targets")[0]


def test_images_of_the_others_are_sums_and_equal_steps_come_first(found: Measurements) -> None:
    text = table.report(found)
    equal = row(text, "title of image (diffusers: sum of its parts)")
    assert equal[1:4] == ["50.0 s", "263 s", "0.190"]
    fewer = row(text, "the same; diffusers with 100 steps, its default")
    assert fewer[1:4] == ["50.0 s", "1063 s", "0.047"]
    assert text.index(equal[0]) < text.index(fewer[0])


def test_targets_are_met_or_missed_or_not_measured(found: Measurements) -> None:
    text = table.report(found)
    assert row(text, "UNet guided step, 512 px / diffusers fp32")[1:] == ["≤ 0.2", "0.4", "missed"]
    assert row(text, "prior, 25 guided steps / diffusers fp32")[1:] == ["≤ 0.06", "0.04", "met"]
    assert row(text, "UNet guided step, rate")[1:] == ["≥ 0.8", "0.8", "met"]
    assert row(text, "UNet guided step, 512 px / compiled")[3] == "not measured"


def test_planned_memory_stands_beside_the_measured(found: Measurements) -> None:
    assert "Memory, planned" not in table.report(found)
    found.parts["memory"].results["engine"].more["planned"] = [7.35]
    text = table.report(found).split("### Memory, planned")[1]
    assert row(text, "title of memory")[1:] == ["7.35 GB", "7.00 GB", "1.050"]


def test_a_model_of_small_images_has_no_targets(found: Measurements) -> None:
    for part in found.parts.values():
        part.size = 64
    assert "Targets" not in table.report(found)


def test_where_it_was_measured_is_told(found: Measurements) -> None:
    text = table.report(found)
    assert "Some CPU (family 25, model 17), 2 cores, 24.0 GB, avx512_bf16" in text
    assert "2026-01-02" in text
    assert "kandinsky_engine 9.8.7, diffusers 0.35.2, torch 2.13.0" in text
    assert "The engine computed in bf16: it is faster." in text
    assert "convolution bf16 500 GFLOP/s" in text


def test_commits_are_told_each_with_its_parts(found: Measurements) -> None:
    assert "commit" not in table.report(found)
    for part in found.parts.values():
        part.commit = "abc1234"
    assert "kandinsky_engine 9.8.7, commit abc1234, diffusers 0.35.2" in table.report(found)
    found.parts["prior"].commit = found.parts["text"].commit = "def5678"
    found.parts["memory"].commit = ""
    told = "commit abc1234, def5678 (text, prior), unknown (memory), diffusers"
    assert told in table.report(found)
    assert "abc1234" not in table.short_table(found)


def test_what_was_not_as_it_comes_is_told(found: Measurements) -> None:
    assert "random weights of full size." in table.report(found)
    for part in found.parts.values():
        part.engine = {"without": ["winograd"]}
    told = "random weights of full size; measured with --without winograd."
    assert told in table.report(found)
    assert told in table.short_table(found)
    found.parts["prior"].engine = {}
    assert "with --without winograd, no options (prior)." in table.report(found)


def test_speedups_left_out_have_a_table_of_their_own(found: Measurements) -> None:
    assert "left out" not in table.report(found)
    part = found.parts["unet-512"]
    part.name, part.title = "without-packing-unet", "packing: UNet step"
    part.results = {"engine": Result([4.0]), "without packing": Result([6.0])}
    found.parts = {part.name: part}
    text = table.report(found)
    assert row(text, "packing: UNet step")[1:] == ["4.00 s", "6.00 s", "1.50"]
    assert text.count("packing: UNet step") == 1


def test_the_short_table_compares_equal_work(found: Measurements) -> None:
    text = table.short_table(found)
    assert row(text, "the same work for each")[1:] == [
        "this engine, bf16",
        "diffusers, fp32",
        "diffusers, bf16, channels-last",
    ]
    assert row(text, "title of unet-512")[1:] == ["4.00 s", "10.0 s", "5.00 s"]
    assert row(text, "title of memory")[1:] == ["7.00 GB", "14.0 GB", "-"]
    assert row(text, "title of image")[1:] == ["50.0 s", "263 s", "132 s"]
    assert "Measured 2026-01-02 on Some CPU, 2 cores; diffusers 0.35.2, torch 2.13.0" in text
    assert "family" not in text


def test_what_fewer_steps_save_stands_apart_and_on_both_sides(found: Measurements) -> None:
    lines = table.short_table(found).splitlines()
    (more,) = (line for line in lines if "100 steps" in line)
    assert not more.startswith("|")
    assert "405 s in this engine; 1063 s in diffusers, fp32; 532 s in diffusers, bf16" in more
    del found.parts["unet-512"]
    assert "100 steps" not in table.short_table(found)
