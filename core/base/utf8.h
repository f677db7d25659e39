#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace kandinsky {

/// The offset of the first byte that is not valid UTF-8, or std::string_view::npos. Overlong forms,
/// surrogates and values above U+10FFFF are invalid; a null character is valid.
std::size_t find_invalid_utf8(std::string_view text) noexcept;

/// The text with U+FFFD in place of each byte that is not valid UTF-8, for quotes from a file in a
/// message.
std::vector<char> replace_invalid_utf8(std::string_view text);

/// One number for each character. text must be valid UTF-8.
std::vector<char32_t> decode_utf8(std::string_view text);

/// Writes c as UTF-8 into bytes, which has room for 4; returns the number of bytes.
std::size_t encode_utf8(char32_t c, unsigned char* bytes) noexcept;

/// The text as one line that is safe for a terminal: control characters, line breaks
/// and bidirectional marks are escaped as "\n", "\x1b" or "\u202e". Everything else is unchanged,
/// including invalid UTF-8.
std::vector<char> quote_controls(std::string_view text);

}  // namespace kandinsky
