"""Headers between torch-free and torch code hold nothing that depends on the string ABI."""

import re
from pathlib import Path

from support import c_header

FLAGS = ["-std=c++20", "-Wabi-tag", "-Werror=abi-tag"]
HEADERS = c_header.of_torch_free_code()


def test_no_header_holds_a_tagged_type(root: Path) -> None:
    includes = "".join(f'#include "{name}"\n' for name in HEADERS)
    assert c_header.compile_errors(includes, "c++", [*FLAGS, f"-I{root / 'core'}"]) == ""


def test_the_headers_were_found() -> None:
    assert "base/error.h" in HEADERS
    assert {name.split("/")[0] for name in HEADERS} == {"base", "io", "text"}


def test_tagged_types_are_seen() -> None:
    includes = "".join(
        f"#include <{name}>\n" for name in ("filesystem", "span", "sstream", "stdexcept", "string")
    )
    assert c_header.compile_errors(includes, "c++", FLAGS) == ""
    header = """
struct Named { std::string name; };
class Path { int n; std::filesystem::path path; };
struct Log { std::ostringstream text; };
class Failure : public std::runtime_error { std::string detail; };
std::span<Undeclared> view();
"""
    complaints = c_header.compile_errors(includes + header, "c++", FLAGS)
    tagged = re.findall(r"(\w+).{1,3} does not have the .* ABI tag", complaints)
    assert set(tagged) == {"Named", "Path", "Log", "Failure"}
    assert "Undeclared" in complaints
