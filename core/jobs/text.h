#pragma once

#include <string>
#include <string_view>

/// Text functions independent of the locale.
namespace kandinsky::jobs {

bool is_utf8(std::string_view text);

/// The text with U+FFFD in place of each byte that is not valid UTF-8.
std::string to_utf8(std::string_view text);

/// As Python's str.strip(): without Unicode spaces at both ends.
std::string_view stripped(std::string_view text);

/// Lower case of A to Z; other characters are unchanged.
std::string lower(std::string_view text);

/// Equal, ignoring the case of A to Z.
bool same_word(std::string_view a, std::string_view b);

}  // namespace kandinsky::jobs
