#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace kandinsky {

/// The offset of the first byte that is no valid UTF-8, or std::string_view::npos. Overlong forms,
/// surrogates and values above U+10FFFF are invalid; a null character is valid.
std::size_t find_invalid_utf8(std::string_view text) noexcept;

/// The text with U+FFFD in place of each byte that is no part of UTF-8: what a message may quote of
/// a file.
std::vector<char> replace_invalid_utf8(std::string_view text);

/// One number for each character. text must be valid UTF-8.
std::vector<char32_t> decode_utf8(std::string_view text);

/// Writes c as UTF-8 into bytes, which has room for 4; returns how many it took.
std::size_t encode_utf8(char32_t c, unsigned char* bytes) noexcept;

/// The text as one line that a terminal shows and does not obey: control characters, line breaks
/// and marks that turn the direction of writing become "\n", "\x1b" or "\u202e". All else stays,
/// bytes that are no UTF-8 too.
std::vector<char> quote_controls(std::string_view text);

}  // namespace kandinsky
