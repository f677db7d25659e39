#include "text/unicode.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

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
  for (const char32_t c : text) {
    // Canonical decompositions have at most four characters.
    std::array<utf8proc_int32_t, 8> parts{};
    int boundary_class = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c), parts.data(), static_cast<utf8proc_ssize_t>(parts.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE), &boundary_class);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
      throw Error(ErrorCode::kInternal,
                  fmt::format("U+{:04X} cannot be decomposed", static_cast<std::uint32_t>(c)));
    }
    points.insert(points.end(), parts.begin(), parts.begin() + count);
  }
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

void append_lower(char32_t c, std::vector<char32_t>* out) {
  constexpr char32_t kCapitalIWithDot = 0x130;
  constexpr char32_t kCombiningDotAbove = 0x307;
  if (c == kCapitalIWithDot) {
    // The one character whose full lower case has two; utf8proc knows single ones only.
    out->push_back(U'i');
    out->push_back(kCombiningDotAbove);
    return;
  }
  out->push_back(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

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
