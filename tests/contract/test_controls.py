"""Each row of the table of controls is a widget, reaches the engine, and survives a picture's
metadata.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ext():
    sys.path.insert(0, str(ROOT / "extension"))
    try:
        names = (
            *("choose_sampler", "conditions", "controls", "errors", "infotext", "request"),
            *("engine", "mixing", "rows"),
        )
        return SimpleNamespace(
            **{name: importlib.import_module(f"kandinsky_ext.{name}") for name in names}
        )
    finally:
        sys.path.pop(0)


RED = Image.new("RGB", (8, 8), "red")
OTHER = {
    "prior_steps": 31,
    "prior_cfg_scale": 7.5,
    "model": "mine",
    "precision": "bf16",
    "sampler": "Heun",
    "scheduler": "Karras",
    "negative_image": "prior",
    "long_prompts": True,
    "guidance_rescale": 0.7,
    "guidance_start": 0.2,
    "guidance_end": 0.8,
    "inpaint_method": "blend",
    "mix": True,
    "mix_picture_1": Image.new("RGB", (8, 8), "blue"),
    "mix_picture_2": RED,
    "mix_strength_1": -1.5,
    "mix_strength_2": 1.25,
    "mix_items": "Picture + picture",
    "mix_method": "slerp",
    "cache_interval": 3,
    "int8_weights": True,
}
"""A value that is allowed and not the default, for each control."""
NEEDED = {"mix_strength_1", "mix_strength_2", "mix_items", "mix_method", "mix_picture_1"}
"""Controls that only count when mixing is on."""
ORDER = list(OTHER)
SAMPLERS, SCHEDULERS = ["DDIM", "Heun"], ["Automatic", "Karras"]


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
    assert [row.field for row in ext.controls.CONTROLS][: len(ORDER)] == ORDER


def test_defaults_are_allowed_plain_values(ext):
    for row in ext.controls.CONTROLS:
        assert type(row.default) in (int, float, str, bool, type(None))
        assert row.check(row.default) == row.default


def chosen_with(ext, settings):
    return ext.choose_sampler.choose(
        "DDIM", "Automatic", settings, samplers=SAMPLERS, schedulers=SCHEDULERS
    )


def mixed_with(ext, settings, init_images=()):
    return ext.mixing.make(
        settings,
        picture_2=settings.mix_picture_2,
        picture_1=settings.mix_picture_1,
        init_images=init_images,
    )


def arguments(ext, settings, name):
    """All that the engine is told because of these settings."""
    chosen = chosen_with(ext, settings)
    phrase = ext.conditions.Phrase("x", 1, 5)
    latents = np.zeros((1, 4, 8, 8), dtype=np.float32)
    steps = ext.conditions.Steps.all_of(5)
    request = ext.request.make(
        SimpleNamespace(seeds=[1], width=64, height=64, steps=5, cfg_scale=4.0),
        settings,
        positives=[[phrase]],
        negatives=[[phrase]],
        width=64,
        height=64,
        sampler=chosen.sampler,
        scheduler=chosen.scheduler,
        steps=steps,
        start=ext.request.Start(latents, latents[:, :1], steps),
        # With the items named, so that image to image does not choose them.
        mix=mixed_with(ext, settings, init_images=[RED] if name == "mix_items" else []),
    )
    key = ext.engine.EngineKey(
        Path(settings.model), "cpu", settings.precision, int8_weights=settings.int8_weights
    )
    mix = {"mix": repr(request.mix)} if settings.mix else {"mix": None}
    denoise = {k: v for k, v in request.denoise_options().items() if k not in ("mask", "noise")}
    denoise.pop("init_latents")
    return {**request.prompt_options(), **denoise, **mix, **key.__dict__}


def values_with(ext, name):
    """The arguments of an API call, with one control's value changed and what that one needs."""
    changed = {name: OTHER[name]}
    base = {}
    if name in NEEDED or name in ("mix", "mix_picture_2"):
        base = {
            "mix": name != "mix",
            "mix_picture_2": RED if name != "mix_picture_2" else OTHER_RED,
        }
        base["mix_items"] = "Prompt + picture" if name == "mix_items" else "Automatic"
    rows = ext.controls.CONTROLS
    return (
        [base.get(row.field, row.default) for row in rows],
        [{**base, **changed}.get(row.field, row.default) for row in rows],
    )


OTHER_RED = Image.new("RGB", (8, 8), "green")


@pytest.mark.parametrize("name", OTHER)
def test_each_control_reaches_the_engine(ext, name):
    """Through a request, or through the key that an engine is opened with."""
    plain, changed = (
        arguments(ext, ext.controls.read(values), name) for values in values_with(ext, name)
    )
    different = [key for key in plain if plain[key] != changed[key]]
    assert len(different) == 1
    if not name.startswith("mix"):
        value = changed[different[0]]
        assert value == (Path(OTHER[name]) if name == "model" else OTHER[name])


@pytest.mark.parametrize("name", OTHER)
def test_each_control_survives_the_metadata(ext, name):
    rows = ext.controls.CONTROLS
    settings = ext.controls.read([OTHER[row.field] for row in rows])
    parameters: dict = {}
    ext.infotext.write(
        parameters,
        settings,
        script=True,
        model=settings.model,
        precision=settings.precision,
        host_noise=False,
        mix=mixed_with(ext, settings),
    )
    used = ext.request.inpaint_method(settings.inpaint_method, has_model=True)
    ext.infotext.write_inpaint(parameters, used)
    # As text, as it comes back from a picture.
    texts = {key: str(value) for key, value in parameters.items() if value is not None}
    components = [SimpleNamespace(field=row.field) for row in rows]
    pasted = {
        component.field: key(texts) if callable(key) else texts[key]
        for component, key in ext.infotext.paste_fields(components)
    }
    if isinstance(next(row for row in rows if row.field == name), ext.rows.Picture):
        assert name not in pasted
        assert len(texts[f"Kandinsky {name.replace('_', ' ')}"]) == 10, "only its hash"
    else:
        assert type(OTHER[name])(pasted[name]) == OTHER[name]


def test_missing_arguments_take_their_defaults_and_superfluous_ones_are_ignored(ext):
    read = ext.controls.read
    assert read([]) == read([25, 4.0, "Automatic", "auto"])
    assert read([30]).prior_steps == 30
    rows = ext.controls.CONTROLS
    complete = [30, 2, "m", "fp32", *(row.default for row in rows[4:])]
    assert read([*complete, "more", None]) == read([30, 2.0, "m", "fp32"])


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
        ([25, 4, "m", "fp32", None], '"Kandinsky sampler" is None: expected a name'),
        ([25, 4, "m", "fp32", "DDIM", "x", "one"], "expected zero, prior"),
        ([25, 4, "m", "fp32", "DDIM", "x", "zero", "maybe"], "expected true or false"),
        ([25, 4, "m", "fp32", "DDIM", "x", "zero", 2], "expected true or false"),
        ([25, 4, "m", "fp32", "DDIM", "x", "zero", True, 1.5], "expected 0 to 1"),
    ],
)
def test_values_out_of_range_are_refused_by_name(ext, values, words):
    with pytest.raises(ext.errors.UserError, match=words):
        ext.controls.read(values)


def test_whole_floats_are_fine_for_whole_numbers(ext):
    steps = ext.controls.read([30.0]).prior_steps
    assert steps == 30
    assert isinstance(steps, int)


@pytest.mark.parametrize(
    ("given", "value"),
    [(True, True), (False, False), (1, True), (0, False), ("true", True), ("False", False)],
)
def test_switches_take_what_callers_write(ext, given, value):
    row = next(row for row in ext.controls.CONTROLS if row.field == "long_prompts")
    assert row.check(given) is value
