"""What the environment says about languages changes no word and no number."""

import re
from pathlib import Path

import pytest

# Each has a form that no locale changes: base/ascii.h, std::from_chars, fmt::format("{}").
BY_LOCALE = re.compile(
    r"\b(?:(?:std::)?(?:tolower|toupper|isalpha|isalnum|isupper|islower|isspace|ispunct|strcoll"
    r"|strtod|strtof|strtold|atof|sscanf|fscanf|setlocale)"
    r"|std::(?:sto[dfil]\w*|regex|wregex|locale|use_facet|stringstream|istringstream))\s*[({<;,)\s]"
    r"|printf\([^;]*%[^\"%]*[aefgAEFG']"
    r"|\{:[^}]*L\}"
)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def uses(text: str) -> list[str]:
    return BY_LOCALE.findall(COMMENT.sub("", text))


def sources(root: Path) -> list[Path]:
    return [
        path
        for folder in ("core", "bindings")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".h", ".hpp", ".cpp"}
    ]


def test_no_source_reads_or_writes_by_the_locale(root: Path) -> None:
    assert len(sources(root)) > 100
    found = {
        str(path.relative_to(root)): used
        for path in sources(root)
        if (used := uses(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "c = std::tolower(c);",
        "std::transform(a, b, c, ::tolower);",
        "double x = std::stod(text);",
        "x = strtod(text, nullptr);",
        'std::snprintf(text, 9, "%f", x);',
        "std::istringstream words(line);",
        "std::regex pattern(text);",
        'fmt::format("{:.3L}", x)',
    ],
)
def test_each_is_seen(line: str) -> None:
    assert uses(line)
    assert not uses(f"// {line}")
