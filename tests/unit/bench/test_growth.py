"""Exponents of cost."""

from pathlib import Path

import growth
import pytest
from samples import Measurements


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    measured = [(x, 3.0 * x**power) for x in (0.25, 0.6, 1.0, 4.0)]
    assert growth.exponent(measured) == pytest.approx(power)


def test_one_place_has_no_exponent() -> None:
    with pytest.raises(ValueError, match="two different"):
        growth.exponent([(1.0, 2.0), (1.0, 2.1)])


def test_excess_is_what_comes_on_top_of_linear() -> None:
    assert growth.excess([(1.0, 2.0), (4.0, 10.0)]) == pytest.approx(0.25)
    assert growth.excess([(1.0, 4.0), (4.0, 14.0)]) == pytest.approx(-0.125)


def test_each_axis_with_several_places_has_a_sentence(found: Measurements) -> None:
    lines = growth.sentences(found)
    assert [line.split(":")[0] for line in lines] == [
        "UNet step by megapixels",
        "MoVQ decode by megapixels",
        "UNet step by images",
    ]
    assert "4 times as much costs 5.00 times as much (+25% against linear)" in lines[0]
    assert "4 times as much costs 3.75 times as much (-6% against linear)" in lines[2]


def test_growth_is_drawn(found: Measurements, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    growth.draw(found, tmp_path / "a/growth.png")
    assert (tmp_path / "a/growth.png").read_bytes().startswith(b"\x89PNG")
