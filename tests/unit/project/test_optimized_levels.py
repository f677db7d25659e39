"""The table of optimized levels is what its script makes."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

FOLDER = Path(__file__).parents[3] / "core/samplers"
TABLE = {
    (name, len(levels.split(","))): [float(level) for level in levels.split(",")]
    for name, levels in re.findall(
        r"^LEVELS\((\w+), (.*)\)$", (FOLDER / "optimized_levels.def").read_text(), re.MULTILINE
    )
}


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("levels", FOLDER / "make_optimized_levels.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    spec.loader.exec_module(module)
    yield module
    torch.set_default_dtype(before)


@pytest.mark.parametrize(("name", "steps"), [("euler", 4), ("dpmpp_2m", 5)])
def test_the_table_is_up_to_date(script: Any, name: str, steps: int) -> None:
    levels = script.best_levels(getattr(script, name), steps, script.Data())
    assert levels == pytest.approx(TABLE[name, steps], rel=0.01)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m"])
def test_its_error_is_less_than_that_of_the_usual_levels(script: Any, name: str) -> None:
    data, loop = script.Data(), getattr(script, name)
    for steps in range(4, 21):
        ends = script.FIRST ** (1 / 7), script.LEAST ** (1 / 7)
        karras = (ends[0] + torch.linspace(0, 1, steps) * (ends[1] - ends[0])) ** 7
        even = torch.exp(torch.linspace(*(7 * torch.log(torch.tensor(ends))).tolist(), steps))
        own = data.error(loop, torch.tensor(TABLE[name, steps], dtype=torch.float64))
        assert own < data.error(loop, karras)
        assert own < data.error(loop, even)
