"""Facts about a C header, read from its text and from the compiler."""

import re
import subprocess
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_STRUCT = re.compile(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*\1\s*;", re.DOTALL)
_FIELD = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$")
_FUNCTION = re.compile(r"^\s*KANDINSKY_API\b[^;(]*?(\w+)\s*\(", re.MULTILINE)
_MACRO = re.compile(r"^\s*#\s*define\b(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_PROTOTYPE = re.compile(r"^\s*KANDINSKY_API\b[^;(]*?(\w+)\s*\(([^)]*)\)\s*;", re.MULTILINE)
_INIT = re.compile(r"^KANDINSKY_INIT\((\w+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Field:
    """A struct's field in bytes."""

    name: str
    offset: int
    size: int


def compile_errors(source: str, language: str, flags: list[str]) -> str:
    """What gcc says about a translation unit that it only checks; "" if it has no complaint."""
    done = subprocess.run(
        ["g++" if language == "c++" else "gcc", "-x", language, "-fsyntax-only", *flags, "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


def functions(header: str) -> set[str]:
    """Names of the exported functions that a header's text declares."""
    text = _MACRO.sub("", _COMMENTS.sub("", header))
    return set(_FUNCTION.findall(text)) | {f"{name}_init_sized" for name in initialised(text)}


def initialised(header: str) -> set[str]:
    """Names of the structs that a header's text declares a `*_init` for."""
    return set(_INIT.findall(_COMMENTS.sub("", header)))


def structs(header: str) -> dict[str, list[str]]:
    """Structs with a body in a header's text, each with its fields' names in order."""
    found = {}
    for name, body in _STRUCT.findall(_COMMENTS.sub("", header)):
        fields = []
        for declaration in body.split(";"):
            match = _FIELD.search(declaration.strip())
            if match:
                fields.append(match.group(1))
        found[name] = fields
    return found


def prototypes(header: str) -> dict[str, list[tuple[str, str]]]:
    """Type and name of each parameter of the exported functions, but for those of the `*_init`s."""
    text = _MACRO.sub("", _COMMENTS.sub("", header))
    return {
        name: [_declared(part) for part in parameters.split(",") if part.strip() != "void"]
        for name, parameters in _PROTOTYPE.findall(text)
    }


def members(header: str) -> dict[str, list[tuple[str, str]]]:
    """Type and name of each field of the structs with a body."""
    return {
        name: [_declared(part) for part in body.split(";") if part.strip()]
        for name, body in _STRUCT.findall(_COMMENTS.sub("", header))
    }


def _declared(text: str) -> tuple[str, str]:
    """`const char* const* prompts` -> its type, without blanks around stars, and its name."""
    match = re.match(r"(.*?)(\w+)\s*((?:\[\d+\])?)$", " ".join(text.split()))
    assert match, text
    return re.sub(r"\s*\*", "*", match.group(1)).strip() + match.group(3), match.group(2)


def layouts(header: Path, folder: Path) -> dict[str, list[Field]]:
    """Offset and size of all structs' fields as C sees them; folder takes the program that asks."""
    names = structs(header.read_text(encoding="utf-8"))
    lines = [
        f'printf("{struct} {field} %zu %zu\\n", '
        f"offsetof({struct}, {field}), sizeof(probe.{field}));"
        for struct, fields in names.items()
        for field in fields
    ]
    body = "".join(
        f"  {{ {struct} probe; (void)probe;\n"
        + "".join(f"    {line}\n" for line in lines if line.startswith(f'printf("{struct} '))
        + "  }\n"
        for struct in names
    )
    program = folder / "layout"
    subprocess.run(
        ["gcc", "-x", "c", "-std=c11", "-o", program, "-"],
        input=f'#include <stdio.h>\n#include "{header}"\nint main(void) {{\n{body}}}\n',
        text=True,
        check=True,
    )
    output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    found: dict[str, list[Field]] = {name: [] for name in names}
    for line in output.splitlines():
        struct, field, offset, size = line.split()
        found[struct].append(Field(field, int(offset), int(size)))
    return found


def layout_changes(
    recorded: dict[str, list[Field]],
    actual: dict[str, list[Field]],
    fixed: AbstractSet[str] = frozenset(),
) -> list[str]:
    """What a program made for the recorded layouts would trip over, and what is not recorded.

    fixed: structs that cannot grow, so that they need no struct_size.
    """
    problems = []
    for struct, fields in recorded.items():
        if struct not in actual:
            problems.append(f"{struct} is gone")
            continue
        now = actual[struct]
        for position, field in enumerate(fields):
            if position >= len(now) or now[position] != field:
                got = now[position] if position < len(now) else "nothing"
                problems.append(f"{struct}: {field} was recorded, but there is {got}")
        advice = f", but {struct} cannot grow" if struct in fixed else "; record it"
        problems += [f"{struct}: {field} is new{advice}" for field in now[len(fields) :]]
    problems += [f"{struct} is new; record it" for struct in actual if struct not in recorded]
    problems += [
        f"{struct} does not start with uint32_t struct_size"
        for struct, fields in actual.items()
        if struct not in fixed and (not fields or fields[0] != Field("struct_size", 0, 4))
    ]
    return problems
