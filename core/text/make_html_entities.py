"""Writes html_entities.cpp from the table in Python's own library: make_html_entities.py <file>."""

import html
import sys
from html.entities import html5
from pathlib import Path

MAX_NAME = 24  # kMaxEntityName

SOURCE = """// Made by make_html_entities.py.
#include "text/html_entities.h"

#include <algorithm>
#include <array>
#include <utility>

namespace kandinsky::text {{
namespace {{

using Entity = std::pair<std::u32string_view, std::u32string_view>;

constexpr std::array<Entity, {count}> kEntities = {{{{
{rows}
}}}};

}}  // namespace

std::u32string_view html_entity(std::u32string_view name) {{
  const auto found = std::lower_bound(kEntities.begin(), kEntities.end(), name,
                                      [](const Entity& e, const auto& n) {{ return e.first < n; }});
  return found != kEntities.end() && found->first == name ? found->second : std::u32string_view();
}}

}}  // namespace kandinsky::text
"""


def entities() -> dict[str, str]:
    """HTML's names without the ";", and capitals for those in small letters where HTML has none."""
    found = {}
    for name, text in html5.items():
        if not name.endswith(";"):
            continue
        found[name[:-1]] = text
        capitals = name.upper()
        if name == name.lower() and html.unescape("&" + capitals) == "&" + capitals:
            found[capitals[:-1]] = text.upper()
    return {name: text for name, text in sorted(found.items()) if len(name) <= MAX_NAME}


def literal(text: str) -> str:
    return 'U"' + "".join(f"\\U{ord(c):08x}" if ord(c) > 159 else f"\\x{ord(c):x}" for c in text)


def main() -> None:
    rows = [f'    {{U"{name}", {literal(text)}"}},' for name, text in entities().items()]
    source = SOURCE.format(count=len(rows), rows="\n".join(rows))
    Path(sys.argv[1]).write_text(source, encoding="utf-8")


if __name__ == "__main__":
    main()
