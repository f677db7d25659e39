"""kandinsky.h as other people's compilers read it."""

from dataclasses import replace
from pathlib import Path

import pytest
from support import c_header
from support.c_header import Field

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic-errors"]

# These come in arrays, so they never grow.
FIXED = {"kandinsky_image", "kandinsky_condition"}


@pytest.fixture(scope="module")
def frozen_path(root: Path, header: str) -> Path:
    """The header that programs of this ABI version were compiled against."""
    return root / f"tests/contract/frozen/kandinsky-{c_header.abi_version(header)}.h"


@pytest.fixture(scope="module")
def frozen(frozen_path: Path) -> str:
    return frozen_path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("language", "standard"),
    [("c", "c11"), ("c", "c17"), ("c++", "c++17"), ("c++", "c++20")],
)
def test_kandinsky_h_compiles_alone(root: Path, language: str, standard: str) -> None:
    flags = [*STRICT, f"-std={standard}", f"-I{root / 'core/include'}"]
    use = "int main(void) { return (int)KANDINSKY_OK; }\n"
    # Twice: the guard is part of the promise.
    both = '#include "kandinsky.h"\n#include "kandinsky.h"\n'
    assert c_header.compile_errors(both + use, language, flags) == ""


def test_kandinsky_hpp_compiles_alone(root: Path) -> None:
    flags = [*STRICT, "-std=c++17", f"-I{root / 'core/include'}"]
    source = '#include "kandinsky.hpp"\nint main() { return sizeof(kandinsky::Engine) == 0; }\n'
    assert c_header.compile_errors(source, "c++", flags) == ""


@pytest.mark.parametrize(
    "addition",
    [
        "bool kandinsky_ready(void);",  # no bool in C11 without stdbool.h
        "typedef struct { int32_t a; };",
        "static int kandinsky_unused(int a) { return 0; }",
        "void kandinsky_later();\nvoid kandinsky_later(int32_t a, ...)\n",
        "enum kandinsky_trailing { KANDINSKY_A, };;",
    ],
)
def test_a_header_that_is_not_strict_c_is_seen(header: str, addition: str) -> None:
    broken = header + addition + "\n"
    assert c_header.compile_errors(broken, "c", [*STRICT, "-std=c11"]) != ""


def test_struct_layouts_are_the_frozen_ones(root: Path, frozen_path: Path, tmp_path: Path) -> None:
    promised = c_header.layouts(frozen_path, tmp_path)
    actual = c_header.layouts(root / "core/include/kandinsky.h", tmp_path)
    assert {"kandinsky_engine_info", *FIXED} <= set(promised)
    assert c_header.layout_changes(promised, actual, FIXED) == []


def test_the_frozen_declarations_are_still_there(frozen: str, header: str) -> None:
    assert c_header.functions(frozen) <= c_header.functions(header)
    promised = c_header.signatures(frozen)
    assert {"kandinsky_text_to_image", "kandinsky_progress_fn"} <= set(promised)
    assert c_header.changes(promised, c_header.signatures(header)) == []


def test_the_frozen_numbers_are_still_the_same(frozen: str, header: str) -> None:
    promised, actual = c_header.enums(frozen), c_header.enums(header)
    assert promised["kandinsky_status"]["KANDINSKY_IO"] == 10
    for name, values in promised.items():
        assert c_header.changes(values, actual.get(name, {})) == []


def test_a_changed_declaration_is_seen() -> None:
    text = """
      typedef enum color { RED = 0, BLUE = 1 /* = 2 */ } color;
      typedef color (*color_fn)(const char* name, void* data);
      KANDINSKY_API const char* const* kandinsky_one(int64_t shape[4], const char*
                                                     name);
      KANDINSKY_API void kandinsky_two(void);
    """
    signatures = {
        "kandinsky_one": "const char* const*(int64_t[4], const char*)",
        "kandinsky_two": "void()",
        "color_fn": "color(const char*, void*)",
    }
    assert c_header.signatures(text) == signatures
    assert c_header.enums(text) == {"color": {"RED": 0, "BLUE": 1}}
    for old, new in (
        ("void kandinsky_two", "int32_t kandinsky_two"),
        ("kandinsky_two", "kandinsky_too"),
        ("int64_t shape[4]", "int64_t shape[3]"),
        ("void* data", "const void* data"),
    ):
        assert len(c_header.changes(signatures, c_header.signatures(text.replace(old, new)))) == 1
    assert c_header.changes(signatures, c_header.signatures(text.replace("name", "other"))) == []
    assert c_header.changes({"RED": 0}, {"RED": 1}) == ["RED: 0 was promised, but there is 1"]


def test_every_growing_struct_has_an_init(header: str) -> None:
    # Progress is made by the library and only read by programs.
    made_by_callers = set(c_header.structs(header)) - {"kandinsky_progress"} - FIXED
    assert c_header.initialised(header) == made_by_callers


def test_a_changed_layout_is_seen() -> None:
    size, first, second = Field("struct_size", 0, 4), Field("a", 4, 4), Field("b", 8, 8)
    promised = {"s": [size, first, second]}
    changes = c_header.layout_changes
    assert changes(promised, promised) == []
    assert changes(promised, {"s": [*promised["s"], Field("c", 16, 4)], "t": [size]}) == []
    swapped = [size, replace(second, offset=4, size=4), replace(first, offset=8, size=8)]
    assert len(changes(promised, {"s": swapped})) == 2
    assert "nothing" in changes(promised, {"s": [size, first]})[0]
    assert len(changes(promised, {})) == 3
    headless = {"t": [Field("a", 0, 4)]}
    assert changes(headless, headless) == ["t does not start with uint32_t struct_size"]
    assert changes(headless, headless, {"t"}) == []
    grown = {"t": [Field("a", 0, 4), Field("b", 4, 4)]}
    assert changes(headless, grown, {"t"}) == [f"t: {grown['t'][1]} is new"]


def test_layouts_come_from_the_compiler(tmp_path: Path) -> None:
    header = tmp_path / "sample.h"
    header.write_text(
        "#include <stddef.h>\n#include <stdint.h>\n"
        "typedef struct sample {\n"
        "  uint32_t struct_size; /* a comment; with a semicolon */\n"
        "  const char* name; // and another\n"
        "  int32_t shape[4];\n"
        "} sample;\n",
        encoding="utf-8",
    )
    expected = [Field("struct_size", 0, 4), Field("name", 8, 8), Field("shape", 16, 16)]
    assert c_header.layouts(header, tmp_path) == {"sample": expected}
