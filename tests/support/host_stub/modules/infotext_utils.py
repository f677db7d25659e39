"""Writing and reading parameters: `Key: value` pairs by commas, values with a comma, colon or
newline in JSON quotes.
"""

import json
import re

from modules import script_callbacks, sd_samplers

_PAIR = re.compile(r'\s*([^:,]+):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')


def quote(value):
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,:\n]", text) else text


def parse_generation_parameters(text):
    *prompt_lines, last = text.strip().split("\n")
    params = {"Prompt": "", "Negative prompt": ""}
    key = "Prompt"
    for line in prompt_lines:
        if line.startswith("Negative prompt:"):
            key = "Negative prompt"
        text = line.removeprefix("Negative prompt:").strip()
        params[key] += ("\n" if params[key] else "") + text
    for name, value in _PAIR.findall(last):
        params[name.strip()] = json.loads(value) if value.startswith('"') else value.strip()
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
        if value is not None:
            kind = type(component.value)
            value = float(value) if kind is int else kind(value)
        values.append(value)
    return params, values
