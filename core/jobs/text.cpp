#include "jobs/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <ranges>
#include <string>
#include <string_view>

namespace kandinsky::jobs {
namespace {

/// Spaces of Python's str.isspace().
constexpr std::string_view kBlanks[] = {"\t",     "\n",     "\v",     "\f",     "\r",     "\x1C",
                                        "\x1D",   "\x1E",   "\x1F",   " ",      "\u0085", "\u00A0",
                                        "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004",
                                        "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
                                        "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};

/// Length of the UTF-8 sequence at the front of `text`, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  utf8proc_int32_t character = 0;
  const utf8proc_ssize_t length =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                       static_cast<utf8proc_ssize_t>(text.size()), &character);
  return length > 0 ? static_cast<std::size_t>(length) : 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string to_utf8(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    result += length == 0 ? "\uFFFD" : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

std::string_view stripped(std::string_view text) {
  const auto blank_at = [](const auto& is_there) {
    const auto* const blank = std::ranges::find_if(kBlanks, is_there);
    return blank == std::ranges::end(kBlanks) ? std::size_t{0} : blank->size();
  };
  const auto is_front = [&](std::string_view blank) { return text.starts_with(blank); };
  const auto is_back = [&](std::string_view blank) { return text.ends_with(blank); };
  while (const std::size_t size = blank_at(is_front)) text.remove_prefix(size);
  while (const std::size_t size = blank_at(is_back)) text.remove_suffix(size);
  return text;
}

}  // namespace kandinsky::jobs
