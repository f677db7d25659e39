"""Who fails is left out, and the others go on. Workers are real processes that compute nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import protocol
import pytest
import whole
from runner import MACHINE, Crew, Setup, converted, crew, measure
from work import (
    COMPETITORS,
    DIFFUSERS,
    ENGINE,
    OPENVINO,
    OPENVINO_FP32,
    OPENVINOS,
    TUNED,
    Extent,
    Work,
)

WORKER = """
import json, os, sys
sys.path.insert(0, {folder!r})
from protocol import serve

OPTIONS = json.loads(sys.argv[1])
NAMES = ("load", "unload", "flop", "unet", "text", "start", "image", "versions", "convolution",
         "convert", "plan")

def handler(name):
    def answer(**fields):
        if OPTIONS["fails"].get(name) == "killed":
            os._exit(137)
        if OPTIONS["fails"].get(name) == "raises":
            raise MemoryError("too large")
        return {{"samples": [1.0], "flop": 5.0, "rate": 7.0, "planned": 2e9}}
    return answer

serve({{name: handler(name) for name in NAMES}})
"""
EXTENT = Extent(sizes=(64,), rounds=2)
UNET = Work("unet-64", "UNet", "unet", "unet", {"size": 64, "batch": 1, "steps": 1}, size=64)
TEXT = Work("text", "text", "text", "text", {}, (ENGINE, DIFFUSERS, TUNED))
ALL = (ENGINE, DIFFUSERS, TUNED)

Fails = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Pretended(Setup):
    """fails: by competitor, what it fails at and how."""

    fails: Fails = field(default_factory=dict)

    def _recipe(self, competitor: str, engine: dict[str, Any]) -> tuple[Path, str, dict[str, Any]]:
        del engine
        script = self.output / "worker.py"
        script.write_text(WORKER.format(folder=str(protocol.HERE)), encoding="utf-8")
        return Path(sys.executable), str(script), {"fails": self.fails.get(competitor, {})}


@pytest.fixture
def fails() -> Fails:
    return {}


@pytest.fixture
def team(fails: Fails, tmp_path: Path) -> Iterator[Crew]:
    here = Path(sys.executable)
    with crew(Pretended(tmp_path, tmp_path, tmp_path, here, here, tmp_path, fails=fails)) as one:
        yield one


def test_everybody_takes_part(team: Crew) -> None:
    part = measure(UNET, EXTENT, team, ALL)
    assert {name: len(result.samples) for name, result in part.results.items()} == {
        ENGINE: 2, DIFFUSERS: 2, TUNED: 2
    }  # fmt: skip
    assert (part.flop, part.rate) == (5.0, 7.0)
    assert set(team.versions()) == {*ALL, MACHINE}


@pytest.mark.parametrize("what", ["load", "flop", "unet"])
@pytest.mark.parametrize("how", ["killed", "raises"])
def test_who_fails_is_left_out_of_this_and_asked_again_for_the_next(
    team: Crew, fails: Fails, what: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fails[TUNED] = {what: how}
    part = measure(UNET, EXTENT, team, ALL)
    assert set(part.results) == {ENGINE, DIFFUSERS}
    assert part.flop == 5.0  # somebody else counted
    assert TUNED in capsys.readouterr().out
    assert TUNED not in team.versions()
    fails.clear()
    assert set(measure(TEXT, EXTENT, team, ALL).results) == set(ALL)


@pytest.mark.parametrize("how", ["killed", "raises"])
def test_who_cannot_free_its_memory_does_not_keep_it(team: Crew, fails: Fails, how: str) -> None:
    fails[DIFFUSERS] = {"unload": how}
    measure(UNET, EXTENT, team, ALL)
    assert set(measure(TEXT, EXTENT, team, ALL).results) == set(ALL)


def test_with_nobody_left_a_part_is_empty(team: Crew, fails: Fails) -> None:
    fails |= {name: {"load": "killed"} for name in ALL}
    assert measure(UNET, EXTENT, team, ALL).results == {}


@pytest.mark.parametrize("what", ["load", "unload"])
def test_loading_goes_on_without_who_fails(team: Crew, fails: Fails, what: str) -> None:
    fails[DIFFUSERS] = {what: "killed"}
    part, *starts = whole.load(team, EXTENT, COMPETITORS)
    assert set(part.results) == {ENGINE, TUNED}
    names = ["start", "start-from-text", "start-prepared", "start-prepared-from-text"]
    assert [part.name for part in starts] == names


def test_the_unet_is_converted_for_openvino_before_and_removed_after(
    team: Crew, capsys: pytest.CaptureFixture[str]
) -> None:
    team.setup.converted.mkdir(parents=True)
    with converted(team.setup, [TEXT, UNET], (ENGINE, OPENVINO_FP32)) as names:
        assert names == (ENGINE, OPENVINO_FP32)
        assert set(measure(UNET, EXTENT, team, names).results) == {*names}
        assert team.setup.converted.is_dir()
    assert not team.setup.converted.exists()
    assert "converting" in capsys.readouterr().out
    with converted(team.setup, [TEXT], (ENGINE, OPENVINO)):
        pass
    with converted(team.setup, [TEXT, UNET], ALL):
        pass
    assert "converting" not in capsys.readouterr().out


@pytest.mark.parametrize("how", ["killed", "raises"])
def test_the_others_go_on_where_converting_fails(team: Crew, fails: Fails, how: str) -> None:
    fails[OPENVINO] = {"convert": how}
    with converted(team.setup, [UNET], (*ALL, *OPENVINOS)) as names:
        assert names == [*ALL]


def test_memory_at_every_size_that_all_can_do(team: Crew) -> None:
    extent = Extent(sizes=(64, 128, 256), rounds=1, slow_up_to=128)
    parts = {part.name: part for part in whole.memory(team.setup, extent, ALL)}
    assert {name: (part.size, set(part.results)) for name, part in parts.items()} == {
        "memory": (64, set(ALL)),
        "memory-resident-128": (128, set(ALL)),
        "memory-batch-4": (64, {ENGINE}),
        "memory-one-stage": (64, {ENGINE}),
        "memory-streamed": (64, {ENGINE}),
    }
    for part in parts.values():
        # Of a process that is smaller than the command line's.
        assert 1.8 < part.results[ENGINE].more["planned"][0] < 2


def test_what_only_the_engine_does_is_left_out_where_it_fails(team: Crew, fails: Fails) -> None:
    fails[ENGINE] = {"start": "killed", "image": "killed"}
    assert [part.name for part in whole.load(team, EXTENT, ALL)] == ["load"]
    assert list(whole.image(team, EXTENT, ALL)) == []
    fails[ENGINE] = {"load": "raises"}
    assert list(whole.image(team, EXTENT, ALL)) == []
