#pragma once

#include <cstddef>
#include <string_view>

namespace kandinsky::text {

/// More characters than the repair looks at; the names beyond are the rarest of symbols.
inline constexpr std::size_t kMaxEntityName = 24;

/// The characters that "&name;" stands for, or nothing if it is no name. HTML's names, and those in
/// capitals that HTML lacks ("NTILDE"). Made by make_html_entities.py.
std::u32string_view html_entity(std::u32string_view name);

}  // namespace kandinsky::text
