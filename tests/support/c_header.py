"""Facts about a C header, read from its text and from the compiler."""

import re
import subprocess
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_STRUCT = re.compile(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*\1\s*;", re.DOTALL)
_FIELD = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$")
_FUNCTION = re.compile(r"^\s*KANDINSKY_API\b[^;(]*?(\w+)\s*\(", re.MULTILINE)
_MACRO = re.compile(r"^\s*#\s*define\b(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_PROTOTYPE = re.compile(r"^\s*KANDINSKY_API\b([^;(]*?)(\w+)\s*\(([^)]*)\)\s*;", re.MULTILINE)
_CALLBACK = re.compile(r"^\s*typedef\b([^;(]*)\(\*(\w+)\)\s*\(([^)]*)\)\s*;", re.MULTILINE)
_ENUM = re.compile(r"typedef\s+enum\s+(\w+)\s*\{(.*?)\}\s*\1\s*;", re.DOTALL)
_INIT = re.compile(r"^KANDINSKY_INIT\((\w+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Field:
    """A struct's field in bytes."""

    name: str
    offset: int
    size: int


def of_torch_free_code() -> list[str]:
    """The headers that torch-free and torch code share, as they are included."""
    core = Path(__file__).parents[2] / "core"
    found = (path for folder in ("base", "io", "text") for path in (core / folder).glob("*.h"))
    return sorted(path.relative_to(core).as_posix() for path in found)


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


def abi_version(header: str) -> int:
    """The KANDINSKY_ABI_VERSION of a header's text."""
    found = re.search(r"(?m)^#define KANDINSKY_ABI_VERSION (\d+)$", header)
    assert found
    return int(found[1])


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
    return {name: _parameters(listed) for _, name, listed in _PROTOTYPE.findall(text)}


def signatures(header: str) -> dict[str, str]:
    """Exported functions and types of callbacks: what they return, and their parameters' types."""
    text = _MACRO.sub("", _COMMENTS.sub("", header))
    return {
        name: f"{_type(returned)}({', '.join(kind for kind, _ in _parameters(listed))})"
        for pattern in (_PROTOTYPE, _CALLBACK)
        for returned, name, listed in pattern.findall(text)
    }


def enums(header: str) -> dict[str, dict[str, int]]:
    """The enumerations, each with its names and their numbers."""
    return {
        name: {key: int(value) for key, value in re.findall(r"(\w+)\s*=\s*(\d+)", body)}
        for name, body in _ENUM.findall(_COMMENTS.sub("", header))
    }


def members(header: str) -> dict[str, list[tuple[str, str]]]:
    """Type and name of each field of the structs with a body."""
    return {
        name: [_declared(part) for part in body.split(";") if part.strip()]
        for name, body in _STRUCT.findall(_COMMENTS.sub("", header))
    }


def _type(text: str) -> str:
    """Without blanks around stars."""
    return re.sub(r"\s*\*", "*", " ".join(text.split()))


def _parameters(listed: str) -> list[tuple[str, str]]:
    return [_declared(part) for part in listed.split(",") if part.strip() != "void"]


def _declared(text: str) -> tuple[str, str]:
    """`const char* const* prompts` -> its type and its name."""
    match = re.match(r"(.*?)(\w+)\s*((?:\[\d+\])?)$", " ".join(text.split()))
    assert match, text
    return _type(match.group(1)) + match.group(3), match.group(2)


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
    frozen: dict[str, list[Field]],
    actual: dict[str, list[Field]],
    fixed: AbstractSet[str] = frozenset(),
) -> list[str]:
    """What a program made for the frozen layouts would trip over.

    fixed: structs that cannot grow, so that they need no struct_size.
    """
    problems = []
    for struct, fields in frozen.items():
        now = actual.get(struct, [])
        for position, field in enumerate(fields):
            if position >= len(now) or now[position] != field:
                got = now[position] if position < len(now) else "nothing"
                problems.append(f"{struct}: {field} was promised, but there is {got}")
        if struct in fixed:
            problems += [f"{struct}: {field} is new" for field in now[len(fields) :]]
    problems += [
        f"{struct} does not start with uint32_t struct_size"
        for struct, fields in actual.items()
        if struct not in fixed and (not fields or fields[0] != Field("struct_size", 0, 4))
    ]
    return problems


def changes(frozen: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """What was promised under a name, and is now something else or gone."""
    return [
        f"{name}: {promised} was promised, but there is {actual.get(name, 'nothing')}"
        for name, promised in frozen.items()
        if actual.get(name) != promised
    ]
