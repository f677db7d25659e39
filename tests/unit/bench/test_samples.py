"""Medians, spreads, and the file that keeps them."""

import json
from pathlib import Path

import pytest
from samples import Measurements, Part, Result


def test_the_median_counts_the_work_that_one_sample_stands_for() -> None:
    assert Result([3.0, 1.0, 2.0]).median == 2.0
    assert Result([3.0, 1.0], times=25).median == 50.0


def test_the_spread_is_half_of_the_range() -> None:
    assert Result([9.0, 10.0, 12.0]).spread == pytest.approx(0.15)
    assert Result([10.0]).spread == 0.0


def test_answers_add_up() -> None:
    result = Result()
    result.add({"samples": [1.0, 2.0], "times": 25, "first": 5.0})
    result.add({"samples": [3.0], "times": 25, "first": 6.0})
    assert (result.samples, result.times) == ([1.0, 2.0, 3.0], 25)
    assert result.more == {"first": [5.0, 6.0]}


def test_what_was_not_measured_has_no_median(found: Measurements) -> None:
    assert found.median("unet-512", "engine") == 4.0
    assert found.median("unet-512", "compiled") is None
    assert found.median("unet-999", "engine") is None


def test_a_file_gives_back_what_was_saved(found: Measurements, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    found.save(path)
    assert Measurements.load(path) == found
    path.write_text(path.read_text().replace('"format": 1', '"format": 0'))
    with pytest.raises(ValueError, match="another version"):
        Measurements.load(path)


def test_options_are_told_as_the_bench_was_told_them() -> None:
    engine = {"without": ["packing", "winograd"], "precision": "fp32"}
    told = "--without packing --without winograd --precision fp32 --threads 1"
    assert Part("", "", engine=engine, threads=1).options == told
    assert Part("", "").options == ""


def test_the_one_commit_of_an_older_file_is_that_of_its_parts(
    found: Measurements, tmp_path: Path
) -> None:
    path = tmp_path / "bench.json"
    found.save(path)
    content = json.loads(path.read_text())
    content["versions"]["repository"] = {"commit": "abc1234"}
    for part in content["parts"].values():
        for name in ("commit", "engine", "threads"):
            del part[name]
    path.write_text(json.dumps(content))
    for part in found.parts.values():
        part.commit = "abc1234"
    assert Measurements.load(path) == found
