#include "base/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kandinsky {

namespace {

/// The first character of the text, and its number of bytes; 0 for invalid UTF-8.
std::size_t first_character(std::string_view text, utf8proc_int32_t* character) noexcept {
  const utf8proc_ssize_t size =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                       static_cast<utf8proc_ssize_t>(text.size()), character);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    utf8proc_int32_t character = 0;
    const std::size_t size = first_character(text.substr(at), &character);
    if (size == 0) return at;
    at += size;
  }
  return std::string_view::npos;
}

std::vector<char> replace_invalid_utf8(std::string_view text) {
  constexpr std::string_view kReplacement = "\uFFFD";
  std::vector<char> result;
  while (true) {
    const std::size_t valid = std::min(find_invalid_utf8(text), text.size());
    result.insert(result.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(valid));
    if (valid == text.size()) return result;
    result.insert(result.end(), kReplacement.begin(), kReplacement.end());
    text.remove_prefix(valid + 1);
  }
}

std::vector<char32_t> decode_utf8(std::string_view text) {
  std::vector<char32_t> result;
  result.reserve(text.size());
  utf8proc_int32_t character = 0;
  while (const std::size_t size = text.empty() ? 0 : first_character(text, &character)) {
    result.push_back(static_cast<char32_t>(character));
    text.remove_prefix(size);
  }
  return result;
}

std::vector<char> quote_controls(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<char> result;
  result.reserve(text.size());
  const auto add = [&](std::string_view part) {
    result.insert(result.end(), part.begin(), part.end());
  };
  const auto add_number = [&](std::string_view prefix, std::uint32_t value, unsigned digits) {
    add(prefix);
    while (digits-- > 0) result.push_back(kDigits[(value >> (4 * digits)) & 0xFU]);
  };
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint32_t c = byte(i);
    if (c == '\n') {
      add("\\n");
    } else if (c == '\t') {
      add("\\t");
    } else if (c < 0x20 || c == 0x7F) {
      add_number("\\x", c, 2);
    } else if (c == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9F) {
      add_number("\\x", byte(++i), 2);  // C1 controls: U+009B is equal to ESC [
    } else if (c == 0xE2 && (byte(i + 1) & 0xFEU) == 0x80 && (byte(i + 2) & 0xC0U) == 0x80) {
      const std::uint32_t point = 0x2000U | (byte(i + 1) & 0x3FU) << 6U | (byte(i + 2) & 0x3FU);
      const bool is_mark =
          (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
      if (is_mark) {
        add_number("\\u", point, 4);
        i += 2;
      } else {
        result.push_back(text[i]);
      }
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

std::size_t encode_utf8(char32_t c, unsigned char* bytes) noexcept {
  return static_cast<std::size_t>(utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes));
}

}  // namespace kandinsky
