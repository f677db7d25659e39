"""Each row of the table of controls is a widget, reaches the engine, and survives a picture's
metadata.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ext():
    sys.path.insert(0, str(ROOT / "extension"))
    try:
        names = ("controls", "errors", "infotext", "request", "engine")
        return SimpleNamespace(
            **{name: importlib.import_module(f"kandinsky_ext.{name}") for name in names}
        )
    finally:
        sys.path.pop(0)


OTHER = {"prior_steps": 31, "prior_cfg_scale": 7.5, "model": "mine", "precision": "bf16"}
"""A value that is allowed and not the default, for each control."""


def test_the_other_values_cover_the_table(ext):
    assert set(OTHER) == {control.field for control in ext.controls.CONTROLS}
    defaults = dataclasses.asdict(ext.controls.read([]))
    assert all(OTHER[name] != defaults[name] for name in OTHER)


def test_the_table_and_the_settings_agree(ext):
    fields = [field.name for field in dataclasses.fields(ext.controls.Settings)]
    assert fields == [control.field for control in ext.controls.CONTROLS]


def test_labels_fields_and_keys_are_unique_and_prefixed(ext):
    rows = ext.controls.CONTROLS
    for values in (
        [row.field for row in rows],
        [row.label for row in rows],
        [row.infotext for row in rows],
    ):
        assert len(values) == len(set(values))
    assert all(row.infotext.startswith("Kandinsky ") for row in rows)
    assert not any(mark in row.infotext for row in rows for mark in ":,\n")


def test_the_order_of_api_arguments_is_kept(ext):
    assert [row.field for row in ext.controls.CONTROLS][:4] == [
        "prior_steps",
        "prior_cfg_scale",
        "model",
        "precision",
    ]


def test_defaults_are_allowed_plain_values(ext):
    for row in ext.controls.CONTROLS:
        assert type(row.default) in (int, float, str)
        assert row.check(row.default) == row.default


@pytest.mark.parametrize("name", OTHER)
def test_each_control_reaches_the_engine(ext, name):
    """The prior's two through a request, the other two through the key that an engine is opened
    with.
    """
    controls = ext.controls.CONTROLS

    def arguments(settings):
        p = SimpleNamespace(seeds=[1], width=64, height=64, steps=5, cfg_scale=4.0)
        request = ext.request.make(
            p, settings, prompts=["x"], negative_prompts=[""], sampler="DDIM", noise=None
        )
        key = ext.engine.EngineKey(Path(settings.model), "cpu", settings.precision)
        return {**request.encode_arguments(), **request.denoise_arguments(), **key.__dict__}

    given = [OTHER[name] if row.field == name else row.default for row in controls]
    plain, changed = arguments(ext.controls.read([])), arguments(ext.controls.read(given))
    different = [key for key in plain if plain[key] != changed[key]]
    assert len(different) == 1
    value = changed[different[0]]
    assert value == (Path(OTHER[name]) if name == "model" else OTHER[name])


@pytest.mark.parametrize("name", OTHER)
def test_each_control_survives_the_metadata(ext, name):
    settings = ext.controls.read([OTHER[row.field] for row in ext.controls.CONTROLS])
    parameters: dict = {}
    ext.infotext.write(
        parameters,
        settings,
        sampler="DDIM",
        model=settings.model,
        precision=settings.precision,
        host_noise=False,
    )
    components = [SimpleNamespace(field=row.field) for row in ext.controls.CONTROLS]
    for component, key in ext.infotext.paste_fields(components):
        if component.field == name:
            text = str(parameters[key])
            assert type(OTHER[name])(text) == OTHER[name]
            return
    raise AssertionError(f"{name} is not pasted")


def test_missing_arguments_take_their_defaults_and_superfluous_ones_are_ignored(ext):
    read = ext.controls.read
    assert read([]) == read([25, 4.0, "Automatic", "auto"])
    assert read([30]).prior_steps == 30
    assert read([30, 2, "m", "fp32", "more", None]) == read([30, 2.0, "m", "fp32"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1], r'"Prior inference steps" is 1: expected 2 to 1000'),
        ([1001], "1001"),
        ([2.5], "whole number"),
        (["many"], "expected a number"),
        ([None], "expected a number"),
        ([float("nan")], "nan"),
        ([25, 0.5], r'"Prior CFG scale" is 0.5: expected 1 to 20'),
        ([25, 4, 3], "Kandinsky model"),
        ([25, 4, "m", "fp64"], "auto, fp32, bf16, fp16"),
    ],
)
def test_values_out_of_range_are_refused_by_name(ext, values, words):
    with pytest.raises(ext.errors.UserError, match=words):
        ext.controls.read(values)


def test_whole_floats_are_fine_for_whole_numbers(ext):
    steps = ext.controls.read([30.0]).prior_steps
    assert steps == 30
    assert isinstance(steps, int)
