#pragma once

#include <string>
#include <string_view>

/// Text without a locale: what the environment says must not change how words are read.
namespace kandinsky::jobs {

bool is_utf8(std::string_view text);

/// The text with U+FFFD in place of each byte that is no part of UTF-8.
std::string to_utf8(std::string_view text);

/// What Python's str.strip() leaves of the text: no blanks at either end, Unicode's included.
std::string_view stripped(std::string_view text);

/// Lower case of A to Z; all else stays as it is.
std::string lower(std::string_view text);

/// Equal but for the case of A to Z.
bool same_word(std::string_view a, std::string_view b);

}  // namespace kandinsky::jobs
