"""Settings to and from the parameters written into images."""

from __future__ import annotations

import json
from collections.abc import (
    Callable,
    Collection,
    Container,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from typing import Any

from kandinsky_ext.choose_sampler import SAMPLER_PREFIX, Chosen
from kandinsky_ext.components import bare
from kandinsky_ext.controls import (
    ALWAYS_ON_TITLE,
    COMPONENTS,
    CONTROLS,
    HINT,
    MIXING,
    TITLE,
    Settings,
)
from kandinsky_ext.digest import short_digest
from kandinsky_ext.errors import UserError
from kandinsky_ext.mixing import Mix, Pixels
from kandinsky_ext.rows import Control, Group, Image

SCRIPT_KEY = "Script"
SENT = "Kandinsky sent"
ALWAYS_ON_KEY = ALWAYS_ON_TITLE
SAMPLER_KEY = "Sampler"
SHOWN_SAMPLER = "DDIM"
"""In the host's field, where ours has one that the host lacks."""
SCHEDULER_KEY = "Schedule type"
EMPHASIS_KEY = "Emphasis"
MODEL_HASH_KEY = "Kandinsky model hash"
REPLACED_KEY = "Kandinsky replaced"
HIRES_REPLACED_KEY = "Kandinsky hires replaced"
"""What the host's fields said that the engine lacks."""
LORAS_KEY = "Kandinsky loras"
HIRES_LORAS_KEY = "Kandinsky hires loras"
"""What the tags in the prompt stood for. The prompt keeps them, and brings them back."""
HIRES_SAMPLER_KEY = "Hires sampler"
HIRES_SCHEDULER_KEY = "Hires schedule type"
HOST_KEYS_LEFT_OUT = (
    *("Clip skip", "VAE", "VAE hash", "RNG", "ENSD", "NGMS"),
    *("Token merging ratio", "Token merging ratio hr"),
)
"""What the host would write of its own, and what has no part in our images."""
ALWAYS_WRITTEN = ("prior_steps", "prior_cfg_scale", "model", "precision")
"""The others are written where they are not the default."""
KEYS = {control.field: control.infotext for control in CONTROLS}


def write(
    parameters: MutableMapping[str, Any],
    settings: Settings,
    *,
    script: bool,
    model: str,
    precision: str,
    host_noise: bool,
    mix: Mix | None,
    hint: Pixels | None,
    changes: Mapping[str, str],
) -> None:
    """Sets or clears every key that is ours, so that a dictionary shared with an earlier run keeps
    nothing of it.

    script: whether ours is the script chosen, or another one uses it. model and precision are what
    was really used, where the settings may say "Automatic" or "auto". changes: the engine's own
    words for what is not the model's own, by option. host_noise says that the
    first noise is the host's (variation seeds), whose source then stays named.
    """
    if script:
        parameters[SCRIPT_KEY] = TITLE
    parameters[ALWAYS_ON_KEY] = None if script else True
    parameters[EMPHASIS_KEY] = None
    for key in (*HOST_KEYS_LEFT_OUT, LORAS_KEY, HIRES_LORAS_KEY):
        parameters[key] = None
    if host_noise:
        del parameters["RNG"]
    used = {
        "model": model,
        "precision": precision,
        "inpaint_method": None,
        **_mixed(mix),
        **_hinted(hint),
        **{row.field: changes[row.option] for row in CONTROLS if row.option in changes},
    }
    for control in CONTROLS:
        value = used.get(control.field, getattr(settings, control.field))
        written = (
            control.field in ALWAYS_WRITTEN
            or value != control.default
            or (mix is not None and control.group is MIXING)
        )
        if not written:
            value = None
        elif isinstance(value, str):
            value = text_value(control.infotext, value)
        parameters[control.infotext] = value


def text_value(key: str, value: str) -> str:
    """The text as the host has to be given it, so that it reads the same one again.

    It writes a text as it is, but in JSON's quotes where it has a comma, a colon or a new line, and
    the key alone where both are equal. Reading, it drops pairs without a value and white space
    before one, and takes quotes off.
    """
    survives = value == value.strip() != "" and value[0] != '"' and value != key
    if survives or any(c in value for c in ",:\n"):
        return value
    return json.dumps(value, ensure_ascii=False)


def join_sizes(parameters: MutableMapping[str, Any], keys: Iterable[str]) -> None:
    """Puts together the texts of these keys that the host took for a size, such as "512x768"."""
    for key in keys:
        if key not in parameters and f"{key}-1" in parameters:
            parameters[key] = f"{parameters[f'{key}-1']}x{parameters[f'{key}-2']}"


def write_emphasis(parameters: MutableMapping[str, Any], emphasis: str) -> None:
    """Says how brackets were read, where not as weights. The host leaves that to its own encoder of
    prompts.
    """
    parameters[EMPHASIS_KEY] = emphasis if emphasis in ("None", "Ignore") else None


def write_sampler(
    parameters: MutableMapping[str, Any], chosen: Chosen, host_samplers: Container[str]
) -> None:
    """Says what was used, in the host's own fields, and in its own words where it has them: its
    web API and its batches of files read the name without asking us.
    """
    name = _host_name(chosen.sampler, chosen.scheduler, host_samplers)
    parameters[SAMPLER_KEY] = name or SAMPLER_PREFIX + chosen.sampler
    parameters[SCHEDULER_KEY] = chosen.scheduler


def write_model_hash(parameters: MutableMapping[str, Any], model_hash: str | None) -> None:
    """Says which weights generated, whatever their folder is called."""
    parameters[MODEL_HASH_KEY] = model_hash


def write_replaced(parameters: MutableMapping[str, Any], chosen: Chosen) -> None:
    """Says what stood in the host's fields and was replaced, while it still stands there."""
    parameters[REPLACED_KEY] = ", ".join(chosen.replaced) or None
    parameters[HIRES_REPLACED_KEY] = None


def _host_name(sampler: str, scheduler: str | None, host_samplers: Container[str]) -> str | None:
    """Hosts without a field for the schedule have "DPM++ 2M Karras" among their samplers."""
    names = (f"{sampler} {scheduler}", sampler)
    return next((name for name in names if name in host_samplers), None)


def write_loras(parameters: MutableMapping[str, Any], used: str | None, *, hires: bool) -> None:
    """Says which LoRAs a pass used; for a hires pass where they are not the first pass's."""
    if not hires:
        parameters[LORAS_KEY] = used
    parameters[HIRES_LORAS_KEY] = used if hires and used != parameters.get(LORAS_KEY) else None


def write_inpaint(parameters: MutableMapping[str, Any], used: str) -> None:
    """Says what generated under a mask, as only a run that has one knows."""
    parameters[KEYS["inpaint_method"]] = used


def write_hires_sampler(parameters: MutableMapping[str, Any], first: Chosen, hires: Chosen) -> None:
    """Says what a hires pass used, where it is not what the first pass did."""
    parameters[HIRES_SAMPLER_KEY] = hires.sampler if hires.sampler != first.sampler else None
    other = hires.scheduler != first.scheduler
    parameters[HIRES_SCHEDULER_KEY] = hires.scheduler if other else None
    if hires.replaced != first.replaced:
        parameters[HIRES_REPLACED_KEY] = ", ".join(hires.replaced) or None


Field = tuple[Any, "str | Callable[[Mapping[str, Any]], Any]"]
"""A widget, and the key that fills it, or what makes its value of all parameters."""


def paste_fields(components: Sequence[Any]) -> list[Field]:
    """Pairs the widgets, in the order of CONTROLS, with what fills them when an infotext is pasted.
    An image has nothing: its hash does not bring it back.
    """
    rows = list(zip(components, CONTROLS, strict=True))
    return [
        *((component, _reader(row)) for component, row in rows if not isinstance(row, Image)),
        *sent_fields(components),
    ]


def sent_fields(components: Sequence[Any]) -> list[Field]:
    """The "Send to" buttons carry a widget's value to the widget of the same key in the other tab,
    but no values of functions; so each has a key besides, which is in no infotext.
    """
    return list(zip(components, sent_keys(), strict=True))


def sent_keys() -> list[str]:
    """The keys to carry over."""
    return [f"{SENT} {control.field}" for control in CONTROLS]


def opens_advanced(parameters: Mapping[str, Any]) -> bool:
    """Whether something in the advanced panel was not at its default."""
    return _is_ours(parameters) and any(
        row.infotext in parameters and not _is_default(row, parameters[row.infotext])
        for row in CONTROLS
        if row.group.panel == "advanced"
    )


def _is_default(row: Control, text: Any) -> bool:
    try:
        return bool(row.check(text) == row.default)
    except UserError:
        return False


def on_pasted(
    parameters: MutableMapping[str, Any],
    host_samplers: Collection[str],
    shown_scheduler: Callable[[Mapping[str, Any]], str] | None,
) -> None:
    """Gives the host's sampler field a name that it knows, whichever host generated the image, and
    ours the sampler and the schedule that the host lacks.

    shown_scheduler tells what the host's field for the schedule will show, if there is one.
    """
    if not _is_ours(parameters):
        return
    join_sizes(parameters, KEYS.values())
    for row in CONTROLS:
        if row.group is COMPONENTS and row.infotext in parameters:
            parameters[row.infotext] = bare(parameters[row.infotext])
    sampler, scheduler = parameters.get(SAMPLER_KEY), parameters.get(SCHEDULER_KEY)
    if not isinstance(sampler, str):
        return
    sampler = sampler.removeprefix(SAMPLER_PREFIX).removesuffix(f" {scheduler}")
    name = _host_name(sampler, scheduler, host_samplers)
    if name is None:
        parameters.setdefault(KEYS["sampler"], sampler)
        # The host would show its first one, and no schedule that suits that one.
        name = SHOWN_SAMPLER if SHOWN_SAMPLER in host_samplers else None
    parameters[SAMPLER_KEY] = name or sampler
    if shown_scheduler is not None:
        if isinstance(scheduler, str) and not any(
            shown_scheduler({SAMPLER_KEY: one, SCHEDULER_KEY: scheduler}) == scheduler
            for one in host_samplers
        ):
            parameters.setdefault(KEYS["scheduler"], scheduler)
        _keep_hires_scheduler(parameters, shown_scheduler(parameters))


def _keep_hires_scheduler(parameters: MutableMapping[str, Any], shown: str) -> None:
    """The host shows "Automatic" for a schedule that suits the sampler, and then takes it for a
    hires pass too, whose sampler another may suit.
    """
    scheduler = parameters.get(SCHEDULER_KEY)
    if shown == scheduler or parameters.get(HIRES_SAMPLER_KEY) in (None, "Use same sampler"):
        return
    parameters[SCHEDULER_KEY] = shown
    if parameters.get(HIRES_SCHEDULER_KEY) in (None, "Use same scheduler"):
        parameters[HIRES_SCHEDULER_KEY] = scheduler


def _mixed(mix: Mix | None) -> dict[str, Any]:
    """What stands for the rows of the mixing panel: nothing if it is off."""
    if mix is None:
        return _defaults(MIXING)
    second, first = mix.hashes()
    return {"mix_image_2": second, "mix_image_1": first, "mix_items": mix.items()}


def _hinted(hint: Pixels | None) -> dict[str, Any]:
    """Likewise for a depth map and its part of the steps."""
    return _defaults(HINT) if hint is None else {"hint": short_digest(hint)}


def _defaults(group: Group) -> dict[str, Any]:
    return {control.field: control.default for control in CONTROLS if control.group is group}


def read_always_on(parameters: Mapping[str, Any]) -> bool:
    """Whether an image was generated for another script."""
    return ALWAYS_ON_KEY in parameters


def _is_ours(parameters: Mapping[str, Any]) -> bool:
    return parameters.get(SCRIPT_KEY) == TITLE or read_always_on(parameters)


def _reader(control: Control) -> Callable[[Mapping[str, Any]], Any]:
    """Reads a control's key. Absent from an image of ours it means the default, and in one of
    others nothing.
    """

    def value(parameters: Mapping[str, Any]) -> Any:
        if control.infotext in parameters:
            return control.shown(parameters[control.infotext])
        return control.shown(control.default) if _is_ours(parameters) else None

    return value
