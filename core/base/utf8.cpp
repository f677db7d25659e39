#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace kandinsky {

std::size_t find_invalid_utf8(std::string_view text) noexcept {
  // The ranges are table 3-7 of the Unicode standard.
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto is_tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
  std::size_t i = 0;
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    std::size_t length = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      length = 3;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      length = 4;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return i;
    }
    if (i + 1 >= text.size() || byte(i + 1) < low || byte(i + 1) > high) return i;
    for (std::size_t k = 2; k < length; ++k) {
      if (!is_tail(i + k)) return i;
    }
    i += length;
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
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    constexpr std::array<unsigned char, 5> kLeadMask = {0, 0x7F, 0x1F, 0x0F, 0x07};
    char32_t c = lead & kLeadMask[length];
    for (std::size_t k = 1; k < length; ++k) {
      c = c << 6U | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
    }
    result.push_back(c);
    i += length;
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
      add_number("\\x", byte(++i), 2);  // C1 controls: U+009B is another way to say ESC [
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
  const auto value = static_cast<std::uint32_t>(c);
  const auto tail = [&](unsigned shift) {
    return static_cast<unsigned char>(0x80U | ((value >> shift) & 0x3FU));
  };
  if (value < 0x80) {
    bytes[0] = static_cast<unsigned char>(value);
    return 1;
  }
  if (value < 0x800) {
    bytes[0] = static_cast<unsigned char>(0xC0U | value >> 6U);
    bytes[1] = tail(0);
    return 2;
  }
  if (value < 0x10000) {
    bytes[0] = static_cast<unsigned char>(0xE0U | value >> 12U);
    bytes[1] = tail(6);
    bytes[2] = tail(0);
    return 3;
  }
  bytes[0] = static_cast<unsigned char>(0xF0U | value >> 18U);
  bytes[1] = tail(12);
  bytes[2] = tail(6);
  bytes[3] = tail(0);
  return 4;
}

}  // namespace kandinsky
