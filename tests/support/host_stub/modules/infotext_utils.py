"""Writing and reading parameters: `Key: value` pairs by commas, values with a comma, colon or
newline in JSON quotes. As strict as hosts: quotes around nothing are none, a pair with no value is
lost, "1x2" becomes two pairs, and a line with fewer than three pairs is a part of the prompt.
"""

import json
import re

from modules import script_callbacks, sd_samplers

_KEY, _QUOTED = r"\w[\w \-/]+", r'"(?:\\.|[^\\"])+"'
_PAIR = re.compile(rf"\s*({_KEY}):\s*({_QUOTED}|[^,]*)(?:,|$)")


def quote(text):
    text = str(text)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,:\n]", text) else text


def unquote(text):
    if not (text.startswith('"') and text.endswith('"')):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def parse_generation_parameters(x):
    *prompt_lines, last = x.strip().split("\n")
    if len(_PAIR.findall(last)) < 3:
        prompt_lines, last = [*prompt_lines, last], ""
    params = {"Prompt": "", "Negative prompt": ""}
    key = "Prompt"
    for line in prompt_lines:
        if line.startswith("Negative prompt:"):
            key = "Negative prompt"
        text = line.removeprefix("Negative prompt:").strip()
        params[key] += ("\n" if params[key] else "") + text
    for name, value in _PAIR.findall(last):
        if not value:
            print(f'Error parsing "{name}: {value}"')
            continue
        text = unquote(value)
        size = re.match(r"^(\d+)x(\d+)$", text)
        parts = zip((f"{name}-1", f"{name}-2"), size.groups(), strict=True) if size else ()
        params.update(parts or {name: text})
    params.setdefault("Schedule type", "Automatic")
    params.setdefault("Hires sampler", "Use same sampler")
    params.setdefault("Hires schedule type", "Use same scheduler")
    return params


def sampling_fields(params):
    """What the host's own fields for sampler and schedule get, as a run takes it from them."""
    sampler, scheduler = sd_samplers.get_hr_sampler_and_scheduler(params)
    return {
        "sampler_name": sd_samplers.get_sampler_from_infotext(params),
        "scheduler": sd_samplers.get_scheduler_from_infotext(params),
        "hr_sampler_name": None if sampler == "Use same sampler" else sampler,
        "hr_scheduler": None if scheduler == "Use same scheduler" else scheduler,
    }


def paste(fields, text):
    """What the paste button puts into each component: casts to the type of its first value."""
    params = parse_generation_parameters(text)
    script_callbacks.infotext_pasted_callback(text, params)
    values = []
    for component, key in fields:
        value = key(params) if callable(key) else params.get(key)
        if value is not None and not isinstance(value, dict):
            kind = type(component.value)
            value = float(value) if kind is int else kind(value)
        values.append(value)
    return params, values
