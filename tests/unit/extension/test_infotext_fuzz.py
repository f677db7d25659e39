"""Parameters of random settings, written and read as Automatic1111 does it: what was set is pasted.

Source of the host's part: AUTOMATIC1111/stable-diffusion-webui, infotext_utils and processing.
"""

import json
import random
import re

import numpy as np

RE_PARAM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
RUNS = 10_000
ODD = [
    "two, odd",
    "a: b",
    'the "best"',
    "line\nbreak",
    "back\\slash",
    "кот",
    "🐱",
    "x=1",
    "None",
    "-",
    "1x2y",
]
OWN = {"Steps": 20, "Sampler": "Euler a", "Seed": 1, "Size": "64x64", "VAE": "x", "RNG": "NV"}
"""What the host writes of its own; extra parameters go over it."""


def quote(text):
    if "," not in str(text) and "\n" not in str(text) and ":" not in str(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def written_by_the_host(parameters):
    """The line of settings, as create_infotext joins it."""
    pairs = (
        key if key == value else f"{key}: {quote(value)}"
        for key, value in parameters.items()
        if value is not None
    )
    return ", ".join(pairs)


def read_by_the_host(line):
    read = {}
    for key, value in RE_PARAM.findall(line):
        quoted = value[0] == '"' and value[-1] == '"'
        read[key] = json.loads(value) if quoted else value
    return read


def random_name(random_source):
    """A folder's name, which may hold nearly everything."""
    if random_source.random() < 0.3:
        return random_source.choice(ODD)
    letters = [
        chr(
            random_source.choice(
                (random_source.randrange(32, 127), random_source.randrange(160, 0x2000))
            )
        )
        for _ in range(random_source.randint(1, 20))
    ]
    return "".join(letters).replace("/", "") or " "


def random_settings(random_source, controls):
    values = []
    for control in controls.CONTROLS:
        kind = type(control).__name__
        if kind == "Slider":
            steps = round((control.maximum - control.minimum) / control.step)
            number = control.minimum + control.step * random_source.randint(0, steps)
            values.append(control.check(min(round(number, 6), control.maximum)))
        elif kind == "Switch":
            values.append(random_source.random() < 0.5)
        elif kind == "Choice":
            values.append(
                random_name(random_source)
                if control.source
                else random_source.choice(control.choices)
            )
        elif kind == "Numbers":
            values.append(
                ", ".join(str(random_source.random()) for _ in range(random_source.randint(0, 3)))
            )
        else:
            values.append(None)
    return controls.read(values)


def test_what_was_set_is_pasted(host):
    random_source = random.Random(1)
    controls, infotext, mixing = host.ext("controls"), host.ext("infotext"), host.ext("mixing")
    count = len(controls.CONTROLS)
    fields = [key for _, key in infotext.paste_fields([None] * count)[:-count]]
    rows = [control for control in controls.CONTROLS if type(control).__name__ != "Image"]
    pixels = np.zeros((1, 1, 3), np.uint8)
    for _ in range(RUNS):
        settings = random_settings(random_source, controls)
        first = (pixels,) if random_source.random() < 0.5 else None
        mix = None
        if settings.mix:
            mix = mixing.Mix(
                first,
                pixels,
                (settings.mix_strength_1, settings.mix_strength_2),
                settings.mix_method,
            )
        hint = pixels if random_source.random() < 0.5 else None
        script, host_noise = random_source.random() < 0.5, random_source.random() < 0.5
        parameters = {"Kandinsky mix of": "left over"}
        infotext.write(
            parameters,
            settings,
            script=script,
            model=settings.model,
            precision="fp32",
            host_noise=host_noise,
            mix=mix,
            hint=hint,
            changes={},
        )
        read = read_by_the_host(written_by_the_host({**OWN, **parameters}))
        assert infotext.read_always_on(read) is not script
        assert ("RNG" in read) is host_noise
        assert "VAE" not in read
        for row, key in zip(rows, fields, strict=True):
            value = key(read) if callable(key) else read.get(key)
            wanted = getattr(settings, row.field)
            if row.field == "precision":
                wanted = "fp32"
            elif row.field == "mix_items":
                wanted = controls.AUTOMATIC_MIX if mix is None else mix.items()
            elif row.field == "inpaint_method":
                wanted = "auto"  # told by what ran, which is nothing here
            elif (row.group is controls.MIXING and mix is None) or (
                row.group is controls.HINT and hint is None
            ):
                wanted = row.default
            assert row.check(value) == wanted, (row.field, parameters)
