"""Headers between torch-free and torch code hold nothing that depends on the string ABI."""

from pathlib import Path

import pytest
from support import c_header

FLAGS = ["-std=c++20", "-Wabi-tag", "-Werror=abi-tag"]
HEADERS = sorted(
    path.relative_to(Path(__file__).parents[2] / "core").as_posix()
    for folder in ("base", "io", "text")
    for path in (Path(__file__).parents[2] / "core" / folder).glob("*.h")
)


@pytest.mark.parametrize("name", HEADERS)
def test_header_compiles_alone_and_holds_no_tagged_type(root: Path, name: str) -> None:
    flags = [*FLAGS, f"-I{root / 'core'}"]
    assert c_header.compile_errors(f'#include "{name}"\n', "c++", flags) == ""


def test_the_headers_were_found() -> None:
    assert "base/error.h" in HEADERS
    assert {name.split("/")[0] for name in HEADERS} == {"base", "io", "text"}


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("struct Named { std::string name; };", "abi-tag"),
        ("class Path { int n; std::filesystem::path path; };", "abi-tag"),
        ("struct Log { std::ostringstream text; };", "abi-tag"),
        ("class Failure : public std::runtime_error { std::string detail; };", "abi-tag"),
        ("std::span<Undeclared> view();", "Undeclared"),
    ],
)
def test_a_tagged_type_is_seen(header: str, complaint: str) -> None:
    includes = "".join(
        f"#include <{name}>\n" for name in ("filesystem", "span", "sstream", "stdexcept", "string")
    )
    assert complaint in c_header.compile_errors(includes + header + "\n", "c++", FLAGS)
    assert c_header.compile_errors(includes, "c++", FLAGS) == ""
