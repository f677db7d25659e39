"""Writes the files that are made from tables: the Python keywords and docs/options.md from the
engine's options, and the table of arguments in docs/api.md from the page's controls.

python tests/tools/make_keywords.py    with the built package on the path: PYTHONPATH=build/python
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import kandinsky_engine as kandinsky

ROOT = Path(__file__).resolve().parent.parent.parent
KEYWORDS = ROOT / "bindings/kandinsky_engine/keywords.py"
DOCUMENT = ROOT / "docs/options.md"
API = ROOT / "docs/api.md"
API_TABLE = "|---:|---|---|---|---|\n"
"""What the lines of the document's last table follow."""

TYPES = {
    "flag": "bool",
    "integer": "SupportsIndex",
    "number": "SupportsFloat",
    "text": "str",
    "path": "AnyPath",
    "texts": "Iterable[str]",
    "paths": "Iterable[AnyPath]",
    "seeds": "Iterable[SupportsIndex]",
    "floats": "AnyArray",
    "images": "Iterable[AnyArray]",
    "conditions": "Iterable[Condition]",
}
FROM_IMAGES = {"encode": {"width", "height"}}
WIDTH = 100
"""Of a line, as ruff has it."""


def named(operation: str) -> set[str]:
    """What is no keyword of the method's: its own arguments, and what it finds out itself."""
    method = kandinsky.Engine if operation == "engine" else getattr(kandinsky.Engine, operation)
    return {*inspect.signature(method).parameters, *FROM_IMAGES.get(operation, ())}


def class_name(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_")) + "Options"


def annotation(option: kandinsky.Option) -> str:
    kind = TYPES[option.type]
    return kind if option.default else f"{kind} | None"


def allowed(option: kandinsky.Option) -> str:
    """The range or the words, or nothing."""
    if option.words:
        return ", ".join(f'"{word}"' for word in option.words)
    if option.unit == "bytes":
        return "0 or more bytes"
    if option.minimum is not None and option.maximum is not None:
        unit = f" {option.unit}" if option.unit else ""
        return f"{option.minimum:.17g} to {option.maximum:.17g}{unit}"
    return ""


def default(option: kandinsky.Option) -> str:
    if not option.default:
        return ""
    if option.type == "flag":
        return option.default.capitalize()
    return f'"{option.default}"' if option.type in ("text", "path") else option.default


def explanation(option: kandinsky.Option) -> str:
    text = option.help.rstrip(".") + "."
    if allowed(option):
        text += f" {allowed(option)}."
    if option.default:
        text += f" Default {default(option)}."
    if option.source:
        text += f" Source: {option.source}."
    return text


def wrapped(text: str, width: int = WIDTH - 4) -> str:
    """A docstring below a keyword."""
    lines = [""]
    for word in f'"""{text}"""'.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(f"    {line}" for line in lines)


def keywords() -> str:
    """The text of keywords.py."""
    parts = [
        '"""The keywords of Engine and its methods, from the engine\'s table of options.\n\n'
        'Made by tests/tools/make_keywords.py.\n"""\n\n'
        "from __future__ import annotations\n\n"
        "from collections.abc import Iterable\n"
        "from typing import SupportsFloat, SupportsIndex, TypedDict\n\n"
        "from kandinsky_engine._arguments import AnyPath\n"
        "from kandinsky_engine._arrays import AnyArray\n"
        "from kandinsky_engine.conditions import Condition\n"
    ]
    # Options that belong to the same methods stand in one class.
    users: dict[str, tuple[str, ...]] = {}
    table: dict[str, kandinsky.Option] = {}
    for operation in kandinsky.operations():
        for option in kandinsky.options(operation):
            if option.name not in named(operation):
                users[option.name] = (*users.get(option.name, ()), operation)
                table[option.name] = option
    shared: dict[tuple[str, ...], list[kandinsky.Option]] = {}
    for name, methods in users.items():
        shared.setdefault(methods, []).append(table[name])
    bases: dict[str, list[str]] = {operation: [] for operation in kandinsky.operations()}
    for methods, options in shared.items():
        base = "_" + "".join(class_name(method).removesuffix("Options") for method in methods)
        fields = [
            f"    {option.name}: {annotation(option)}\n{wrapped(explanation(option))}\n"
            for option in options
        ]
        parts.append(f"\n\nclass {base}(TypedDict, total=False):\n{''.join(fields)}")
        for method in methods:
            bases[method].append(base)
    for operation, own in bases.items():
        owner = "Engine()" if operation == "engine" else f"Engine.{operation}()"
        line = f"class {class_name(operation)}({', '.join(own)}, total=False):\n"
        if len(line) > WIDTH + 1:
            arguments = "".join(f"    {name},\n" for name in (*own, "total=False"))
            line = f"class {class_name(operation)}(\n{arguments}):\n"
        parts.append(f'\n\n{line}    """The keywords of {owner}."""\n')
    return "".join(parts)


def document() -> str:
    """The text of options.md."""
    calls: dict[str, list[str]] = {}
    table: dict[str, kandinsky.Option] = {}
    for operation in kandinsky.operations():
        for option in kandinsky.options(operation):
            calls.setdefault(option.name, []).append(operation)
            table.setdefault(option.name, option)
    groups: dict[str, list[kandinsky.Option]] = {}
    for option in table.values():
        groups.setdefault(option.group, []).append(option)
    text = (
        "# Options\n\n"
        "All options of the engine, by their names in C, C++ and Python; "
        "`kandinsky txt2img --help` lists the command line's flags.\n"
        "Defaults are those of C, C++ and Python. On the command line, in files of requests and in "
        "the server the default width and height are the model's training size or the start "
        "image's, and the strength of inpainting is 1.\n"
        "Made from `core/options/options.def` by `tests/tools/make_keywords.py`.\n"
    )
    for group, options in groups.items():
        text += f"\n## {group}\n\n| Option | Type | Default | Values | Meaning | Calls |\n"
        text += "|---|---|---|---|---|---|\n"
        for option in options:
            source = f" Source: {option.source}." if option.source else ""
            cells = (
                f"`{option.name}`",
                option.type,
                default(option),
                allowed(option),
                option.help.rstrip(".") + "." + source,
                ", ".join(calls[option.name]),
            )
            text += f"| {' | '.join(cells)} |\n"
    return text


def values_of(control: Any) -> str:
    """What an argument of the web API may be."""
    match type(control).__name__:
        case "Slider":
            return f"{control.minimum:g} to {control.maximum:g}"
        case "Choice":
            return "a name" if control.source else ", ".join(map(control.shown, control.choices))
        case "Switch":
            return "true, false"
        case "Numbers":
            return "numbers separated by commas"
        case "Image":
            return "a file in base64"
    raise TypeError(f"{control}: a kind of control that is not known here")


def api() -> str:
    sys.path.insert(0, str(ROOT / "extension"))
    from kandinsky_ext.controls import CONTROLS  # noqa: PLC0415  after the path

    text = API.read_text(encoding="utf-8").partition(API_TABLE)[0] + API_TABLE
    for place, row in enumerate(CONTROLS):
        default = json.dumps(row.shown(row.default))
        text += f"| {place} | {row.field} | {row.label} | {values_of(row)} | {default} |\n"
    return text


def main() -> None:
    API.write_text(api(), encoding="utf-8")
    KEYWORDS.write_text(keywords(), encoding="utf-8")
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
