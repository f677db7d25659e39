#include "text/unicode.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"

namespace kandinsky::text {
namespace {

utf8proc_category_t category(char32_t c) noexcept {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

utf8proc_propval_t combining_class(utf8proc_int32_t c) {
  return utf8proc_get_property(c)->combining_class;
}

char32_t lower_of(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

/// Characters ignored at the end of a word: property Case_Ignorable.
bool is_case_ignorable(char32_t c) {
  // Word_Break is MidLetter, MidNumLet or Single_Quote.
  constexpr std::u32string_view kInsideWords =
      U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return kInsideWords.find(c) != std::u32string_view::npos;
  }
}

/// Property Cased, except characters that are also Case_Ignorable.
bool is_cased(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
      return true;
    default:
      // Ordinals, Roman numerals, letters in circles and squares.
      return c == 0xAA || c == 0xBA || (c >= 0x2160 && c <= 0x217F) ||
             (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
             (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
  }
}

/// Appends the canonical decomposition, or with UTF8PROC_COMPAT that by compatibility.
template <typename Point>
void append_decomposed(char32_t c, int kind, std::vector<Point>* out) {
  // The longest by compatibility has 18 characters.
  std::array<utf8proc_int32_t, 32> parts{};
  int boundary_class = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), parts.data(), static_cast<utf8proc_ssize_t>(parts.size()),
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | kind), &boundary_class);
  if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
    throw Error(ErrorCode::kInternal,
                fmt::format("U+{:04X} cannot be decomposed", static_cast<std::uint32_t>(c)));
  }
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    out->push_back(static_cast<Point>(parts[static_cast<std::size_t>(i)]));
  }
}

}  // namespace

void check_prompt(std::string_view text) {
  if (text.size() > limits::kMaxPromptBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the prompt has {} bytes, at most {} are allowed", text.size(),
                            limits::kMaxPromptBytes));
  }
  const std::size_t offset = find_invalid_utf8(text);
  if (offset != std::string_view::npos) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the prompt is not valid UTF-8: byte 0x{:02x} at offset {}",
                            static_cast<unsigned char>(text[offset]), offset));
  }
}

std::vector<char32_t> normalize_nfc(const std::vector<char32_t>& text) {
  std::vector<utf8proc_int32_t> points;
  points.reserve(text.size());
  for (const char32_t c : text) append_decomposed(c, 0, &points);
  // Canonical order. utf8proc's own is a bubble sort, which a long run of marks makes quadratic.
  for (auto begin = points.begin(); begin != points.end();) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, points.end(),
                                  [](utf8proc_int32_t c) { return combining_class(c) == 0; });
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    begin = end;
  }
  const utf8proc_ssize_t length =
      utf8proc_normalize_utf32(points.data(), static_cast<utf8proc_ssize_t>(points.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0) throw Error(ErrorCode::kInternal, utf8proc_errmsg(length));
  return {points.begin(), points.begin() + length};
}

void append_compatible(char32_t c, std::vector<char32_t>* out) {
  append_decomposed(c, UTF8PROC_COMPAT, out);
}

std::vector<char32_t> lower(const std::vector<char32_t>& text) {
  constexpr char32_t kCapitalIWithDot = 0x130;
  constexpr char32_t kCombiningDotAbove = 0x307;
  constexpr char32_t kCapitalSigma = 0x3A3;
  constexpr char32_t kFinalSigma = 0x3C2;
  std::vector<char32_t> result;
  result.reserve(text.size());
  bool after_cased = false;  // but for characters that do not count
  for (auto at = text.begin(); at != text.end(); ++at) {
    if (*at == kCapitalIWithDot) {
      // The only character whose full lower case has two; utf8proc supports only single ones.
      result.push_back(U'i');
      result.push_back(kCombiningDotAbove);
    } else if (*at == kCapitalSigma && after_cased) {
      const auto next = std::find_if_not(at + 1, text.end(), is_case_ignorable);
      const bool is_final = next == text.end() || !is_cased(*next);
      result.push_back(is_final ? kFinalSigma : lower_of(kCapitalSigma));
    } else {
      result.push_back(lower_of(*at));
    }
    if (!is_case_ignorable(*at)) after_cased = is_cased(*at);
  }
  return result;
}

bool is_ascii_letter(char32_t c) noexcept {
  return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z');
}

bool is_decimal_digit(char32_t c) noexcept { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_letter(char32_t c) noexcept {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool is_number(char32_t c) noexcept {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_space(char32_t c) noexcept {
  if ((c >= 0x09 && c <= 0x0D) || c == 0x85) return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return true;
    default:
      return false;
  }
}

}  // namespace kandinsky::text
