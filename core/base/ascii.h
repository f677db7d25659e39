#pragma once

#include <algorithm>
#include <string_view>

/// Case of ASCII letters, independent of the locale: in Turkish, "i" is not the lower case of "I".
namespace kandinsky {

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The text in lower case. A template, because torch's code may have another std::string.
template <typename Text>
constexpr Text lower(Text text) {
  for (char& c : text) c = ascii_lower(c);
  return text;
}

/// Equal, ignoring the case of A to Z.
constexpr bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char c, char d) { return ascii_lower(c) == ascii_lower(d); });
}

}  // namespace kandinsky
