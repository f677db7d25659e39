"""Each row of the table of controls is a widget, reaches the engine, and survives an image's
metadata.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from support import built

built.use_built_package()

import kandinsky_engine as kandinsky  # noqa: E402  the one in the build folder

ROOT = Path(__file__).parents[2]


def load():
    sys.path.insert(0, str(ROOT / "extension"))
    try:
        names = (
            *("choose_sampler", "conditions", "controls", "errors", "infotext", "request"),
            *("engine", "hint", "mixing", "rows"),
        )
        return SimpleNamespace(
            **{name: importlib.import_module(f"kandinsky_ext.{name}") for name in names}
        )
    finally:
        sys.path.pop(0)


MODULES = load()
ROWS = MODULES.controls.CONTROLS
RED = Image.new("RGB", (8, 8), "red")
ORDER = [
    *("prior_steps", "prior_cfg_scale", "model", "precision", "sampler", "scheduler"),
    *("negative_image", "long_prompts", "guidance_rescale", "guidance_start", "guidance_end"),
    *("inpaint_method", "mix", "mix_image_1", "mix_image_2", "mix_strength_1"),
    *("mix_strength_2", "mix_items", "mix_method", "cache_interval", "int8_weights"),
    *("forecast", "guidance_threshold", "preset", "preset_steps"),
    *("hint", "hint_start", "hint_end", "unet", "movq", "text_encoder", "prior_model"),
    *("prior_text_encoder", "image_encoder", "sigmas"),
]
NEEDED = {"mix_strength_1", "mix_strength_2", "mix_items", "mix_method", "mix_image_1"}
"""Controls that only count when mixing is on."""
SAMPLERS, SCHEDULERS = ["DDIM", "Heun"], ["Automatic", "Karras"]
NAMES = {"models": "mine", "samplers": "Heun", "schedulers": "Karras"}


def other(row):
    """A value that is allowed and not the default."""
    match type(row).__name__:
        case "Slider":
            return row.maximum if row.maximum != row.default else row.minimum
        case "Choice":
            return NAMES.get(row.source, "mine.ckpt") if row.source else row.choices[-1]
        case "Switch":
            return True
        case "Numbers":
            return "14.6, 2.7, 0.5"
        case "Image":
            return RED if row.field == "mix_image_2" else Image.new("RGB", (8, 8), "blue")


OTHER = {row.field: other(row) for row in ROWS}
OPTIONS = {
    option.name: option
    for operation in ("engine", "encode_prompts", "denoise")
    for option in kandinsky.options(operation)
}
"""Of what the extension calls."""


@pytest.fixture
def ext():
    return MODULES


@pytest.mark.parametrize("row", [row for row in ROWS if row.option], ids=lambda row: row.field)
def test_a_row_agrees_with_the_engines_option(ext, row):
    option = OPTIONS[row.option]
    if isinstance(row, ext.rows.Image):
        assert option.type == "images"
    elif isinstance(row, ext.rows.Switch):
        assert (option.type, option.default) == ("flag", "false")
    elif isinstance(row, ext.rows.Slider):
        assert option.type == ("integer" if isinstance(row.default, int) else "number")
        assert option.minimum <= row.minimum <= row.default == float(option.default)
        assert row.default <= row.maximum <= option.maximum
    elif isinstance(row, ext.rows.Numbers):
        assert (option.type, option.default, option.words) == ("text", row.default, [])
    elif row.group is ext.controls.COMPONENTS:
        assert (option.type, option.default) == ("path", row.default)
    else:
        offered = getattr(kandinsky, row.source)() if row.source else row.choices
        # The model's own sampler is no row of the table, but what the host's choice is for.
        own = ["Automatic"] if row.source == "samplers" else []
        assert [*own, *offered] == option.words
        assert row.default in (option.default, ext.controls.HOST_CHOICE)


def test_the_other_values_are_none_of_the_defaults(ext):
    defaults = vars(ext.controls.read([]))
    assert list(defaults) == list(OTHER)
    assert all(OTHER[name] != defaults[name] for name in OTHER)


def test_labels_fields_and_keys_are_unique_and_prefixed(ext):
    rows = ext.controls.CONTROLS
    for values in (
        [row.field for row in rows],
        [row.label for row in rows],
        [row.infotext for row in rows],
        [row.option for row in rows if row.option],
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


@pytest.mark.parametrize("name", kandinsky.presets())
def test_a_preset_is_of_controls(ext, name):
    """So that the parameters of an image can say what it stood for, and bring it back."""
    rows = {row.option: row for row in ROWS if row.option}
    for option, value in kandinsky.presets()[name].items():
        assert option == "num_inference_steps" or rows[option].check(value) == value


def chosen_with(ext, settings):
    return ext.choose_sampler.choose(
        "DDIM",
        "Automatic",
        settings,
        own_sampler="DDIM",
        samplers=SAMPLERS,
        schedulers=SCHEDULERS,
    )


def mixed_with(ext, settings, init_images=()):
    return ext.mixing.make(
        settings,
        image_2=settings.mix_image_2,
        image_1=settings.mix_image_1,
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
        sampler=chosen.sampler,
        scheduler=chosen.scheduler,
        steps=steps,
        start=ext.request.Start(latents, latents[:, :1], steps),
        # With the items named, so that image to image does not choose them.
        mix=mixed_with(ext, settings, init_images=[RED] if name == "mix_items" else []),
    )
    key = ext.engine.EngineKey.of(Path(settings.model), **settings.options(), device="cpu")
    jobs = [
        ext.engine.taken(kandinsky, operation, request.options)
        for operation in ("encode_prompts", "denoise")
    ]
    told = {**jobs[0], **jobs[1], **dict(key.others)}
    arrays = ("init_latents", "mask")
    return {
        **{name: value for name, value in told.items() if name not in arrays},
        "model_dir": key.model_dir,
        "precision": key.precision,
        "mix": repr(request.mix) if settings.mix else None,
    }


def values_with(ext, name):
    """The arguments of an API call, with one control's value changed and what that one needs."""
    changed = {name: OTHER[name]}
    base = {}
    if name in NEEDED or name in ("mix", "mix_image_2"):
        base = {
            "mix": name != "mix",
            "mix_image_2": RED if name != "mix_image_2" else OTHER_RED,
        }
        base["mix_items"] = "Prompt + image" if name == "mix_items" else "Automatic"
    rows = ext.controls.CONTROLS
    return (
        [base.get(row.field, row.default) for row in rows],
        [{**base, **changed}.get(row.field, row.default) for row in rows],
    )


OTHER_RED = Image.new("RGB", (8, 8), "green")


@pytest.mark.parametrize("name", [name for name in OTHER if name != "preset_steps"])
def test_each_control_reaches_the_engine(ext, name):
    """Through a request, or through the key that an engine is opened with."""
    plain, changed = (
        arguments(ext, ext.controls.read(values), name) for values in values_with(ext, name)
    )
    different = [key for key in plain if plain[key] != changed[key]]
    assert len(different) == 1
    row = next(row for row in ROWS if row.field == name)
    assert different == [row.option or different[0]]
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
        hint=ext.hint.make(settings.hint, model="mine", takes_hints=True),
        changes={},
    )
    used = ext.request.inpaint_method(settings.inpaint_method, has_model=True)
    ext.infotext.write_inpaint(parameters, used)
    # As text, as it comes back from an image.
    texts = {key: str(value) for key, value in parameters.items() if value is not None}
    components = [SimpleNamespace(field=row.field) for row in rows]
    pasted = {
        component.field: key(texts)
        for component, key in ext.infotext.paste_fields(components)
        if callable(key)
    }
    if isinstance(next(row for row in rows if row.field == name), ext.rows.Image):
        assert name not in pasted
        assert len(texts[f"Kandinsky {name.replace('_', ' ')}"]) == 10, "only its hash"
    else:
        # The widget's words, which a run takes as it takes the engine's.
        row = next(row for row in rows if row.field == name)
        assert row.check(pasted[name]) == OTHER[name]
        assert pasted[name] == str(row.shown(OTHER[name]))


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
        ([25, 4, "m", "fp64"], "Automatic, fp32, bf16, fp16"),
        ([25, 4, "m", "fp32", None], '"Kandinsky sampler" is None: expected a name'),
        ([25, 4, "m", "fp32", "DDIM", "x", "one"], "expected Text only, Text and image"),
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


def test_the_default_scheduler_is_the_engines_first() -> None:
    assert next(iter(kandinsky.schedulers())) == MODULES.choose_sampler.DEFAULT_SCHEDULER


def test_the_engine_has_the_sampler_that_the_hosts_field_shows_for_one_it_lacks() -> None:
    assert MODULES.infotext.SHOWN_SAMPLER in kandinsky.samplers()
