#include "text/repair.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/span.h"
#include "text/html_entities.h"
#include "text/unicode.h"

namespace kandinsky::text {
namespace {

using Text = std::vector<char32_t>;

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kEscape = 0x1B;
constexpr char32_t kFirstC1 = 0x80;
/// Windows-1252, by the byte minus 0x80. Its five undefined bytes are unchanged.
constexpr std::u32string_view kWindows1252 =
    U"\u20AC\x81\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\x8D\u017D\x8F"
    U"\x90\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\x9D\u017E\u0178";

bool is_c1(char32_t c) { return c >= kFirstC1 && c < kFirstC1 + kWindows1252.size(); }

std::u32string_view letters_of_ligature(char32_t c) {
  constexpr std::array<std::pair<char32_t, std::u32string_view>, 22> kLigatures = {{
      {U'\u0132', U"IJ"},      {U'\u0133', U"ij"}, {U'\u0149', U"\u02BCn"}, {U'\u01F1', U"DZ"},
      {U'\u01F2', U"Dz"},      {U'\u01F3', U"dz"}, {U'\u01C4', U"D\u017D"}, {U'\u01C5', U"D\u017E"},
      {U'\u01C6', U"d\u017E"}, {U'\u01C7', U"LJ"}, {U'\u01C8', U"Lj"},      {U'\u01C9', U"lj"},
      {U'\u01CA', U"NJ"},      {U'\u01CB', U"Nj"}, {U'\u01CC', U"nj"},      {U'\uFB00', U"ff"},
      {U'\uFB01', U"fi"},      {U'\uFB02', U"fl"}, {U'\uFB03', U"ffi"},     {U'\uFB04', U"ffl"},
      {U'\uFB05', U"\u017Ft"}, {U'\uFB06', U"st"},
  }};
  const auto* found = std::find_if(kLigatures.begin(), kLigatures.end(),
                                   [&](const auto& ligature) { return ligature.first == c; });
  return found == kLigatures.end() ? std::u32string_view() : found->second;
}

bool has_other_width(char32_t c) { return c == 0x3000 || (c >= 0xFF01 && c <= 0xFFEF); }

char32_t straight_quote(char32_t c) {
  if (c == 0x02BC || (c >= 0x2018 && c <= 0x201B)) return U'\'';
  if (c >= 0x201C && c <= 0x201F) return U'"';
  return c;
}

/// Control characters without meaning in a text, except white space; joiners and direction marks
/// are kept.
bool is_unwanted_control(char32_t c) {
  return c < 0x09 || c == 0x0B || (c >= 0x0E && c < 0x20) || c == 0x7F ||
         (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

/// Appends the replacement of one character, including controls and escapes.
void append_plain(char32_t c, Text* out) {
  if (c < kFirstC1) {
    out->push_back(c);
    return;
  }
  if (is_c1(c)) c = kWindows1252[c - kFirstC1];
  if (const std::u32string_view letters = letters_of_ligature(c); !letters.empty()) {
    for (const char32_t letter : letters) out->push_back(straight_quote(letter));
  } else if (has_other_width(c)) {
    const std::size_t begin = out->size();
    append_compatible(c, out);
    for (std::size_t i = begin; i < out->size(); ++i) (*out)[i] = straight_quote((*out)[i]);
  } else {
    out->push_back(straight_quote(c));
  }
}

/// The text without "ESC [ 36 ; 44 m" and its like, nor unwanted controls.
Text without_controls(const Text& text) {
  Text out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == kEscape && at + 1 < text.size() && text[at + 1] == U'[') {
      std::size_t end = at + 2;
      while (end < text.size() && (text[end] == U';' || is_decimal_digit(text[end]))) ++end;
      if (end < text.size() && is_ascii_letter(text[end])) {
        at = end;
        continue;
      }
    }
    if (!is_unwanted_control(text[at])) out.push_back(text[at]);
  }
  return out;
}

bool is_ascii_digit(char32_t c) { return c >= U'0' && c <= U'9'; }

int hex_digit(char32_t c) {
  if (is_ascii_digit(c)) return static_cast<int>(c - U'0');
  if (c >= U'a' && c <= U'f') return static_cast<int>(c - U'a') + 10;
  if (c >= U'A' && c <= U'F') return static_cast<int>(c - U'A') + 10;
  return -1;
}

/// Numbers without a character in HTML.
bool is_no_character(std::uint32_t number) {
  return (number >= 0x1 && number <= 0x8) || number == 0xB || (number >= 0xE && number <= 0x1F) ||
         (number >= 0x7F && number <= 0x9F) || (number >= 0xFDD0 && number <= 0xFDEF) ||
         (number & 0xFFFEU) == 0xFFFE;
}

/// The character of "&#digits;" by HTML's rules; empty if invalid.
std::optional<std::u32string> numbered(std::u32string_view digits) {
  const bool is_hex = digits.starts_with(U'x') || digits.starts_with(U'X');
  if (is_hex) digits.remove_prefix(1);
  if (digits.empty()) return std::nullopt;
  constexpr std::uint32_t kTooLarge = 0x110000;
  std::uint32_t number = 0;
  for (const char32_t c : digits) {
    const int digit = hex_digit(c);
    if (digit < 0 || (!is_hex && digit > 9)) return std::nullopt;
    number = std::min(number * (is_hex ? 16U : 10U) + static_cast<std::uint32_t>(digit), kTooLarge);
  }
  if (number == U';') return std::nullopt;  // unchanged, as in the source
  if (number == 0 || number >= kTooLarge || (number >= 0xD800 && number <= 0xDFFF)) {
    return std::u32string(1, kReplacement);
  }
  if (is_c1(number)) return std::u32string(1, kWindows1252[number - kFirstC1]);
  if (is_no_character(number)) return std::u32string();
  return std::u32string(1, static_cast<char32_t>(number));
}

/// The characters of "&name;", or empty.
std::optional<std::u32string> entity(std::u32string_view name) {
  if (name.starts_with(U'#')) return numbered(name.substr(1));
  const std::u32string_view found = html_entity(name);
  if (found.empty()) return std::nullopt;
  return std::u32string(found);
}

/// The place of the "&" of the entity that ends with the ";" at the end of the text; npos if it is
/// none.
std::size_t begin_of_entity(const Text& text) {
  std::size_t at = text.size() - 1;
  std::size_t length = 0;
  while (at > 0 && length < kMaxEntityName &&
         (is_ascii_letter(text[at - 1]) || is_ascii_digit(text[at - 1]))) {
    --at;
    ++length;
  }
  if (length == 0) return std::u32string_view::npos;
  if (at > 0 && text[at - 1] == U'#') --at;
  return at > 0 && text[at - 1] == U'&' ? at - 1 : std::u32string_view::npos;
}

/// If an entity ends here, removes it and returns its characters.
std::optional<std::u32string> take_entity(Text* text) {
  const std::size_t begin = begin_of_entity(*text);
  if (begin == std::u32string_view::npos) return std::nullopt;
  const std::u32string_view whole(text->data() + begin, text->size() - begin);
  std::optional<std::u32string> found = entity(whole.substr(1, whole.size() - 2));
  if (found) text->resize(begin);
  return found;
}

/// Decodes entities once: their results are not decoded again.
Text unescape_once(Span<const char32_t> text) {
  Text out;
  out.reserve(text.size());
  std::size_t read_to = 0;  // entities do not begin before
  for (const char32_t c : text) {
    out.push_back(c);
    if (c != U';') continue;
    const std::size_t begin = begin_of_entity(out);
    if (begin == std::u32string_view::npos || begin < read_to) continue;
    if (const auto found = take_entity(&out)) out.insert(out.end(), found->begin(), found->end());
    read_to = out.size();
  }
  return out;
}

/// Decodes entities, including nested ones such as "&amp;lt;", in one pass: otherwise each could
/// need its own pass. Results are repaired at once, as they may be part of the next entity.
Text unescape_all(const Text& text) {
  Text out;
  out.reserve(text.size());
  Text pending;  // the next character last
  for (const char32_t next : text) {
    pending.push_back(next);
    while (!pending.empty()) {
      const char32_t c = pending.back();
      pending.pop_back();
      out.push_back(c);
      if (c != U';') continue;
      const auto found = take_entity(&out);
      if (!found) continue;
      Text plain;
      for (const char32_t brought : *found) append_plain(brought, &plain);
      std::erase_if(plain, is_unwanted_control);
      plain = normalize_nfc(plain);
      pending.insert(pending.end(), plain.rbegin(), plain.rend());
    }
  }
  return out;
}

Text repair_lines(Span<const char32_t> text, bool reads_entities) {
  Text plain;
  plain.reserve(text.size());
  const auto append = [&](Span<const char32_t> from) {
    for (const char32_t c : from) append_plain(c, &plain);
  };
  if (reads_entities) {
    append(unescape_once(text));
  } else {
    append(text);
  }
  Text repaired = normalize_nfc(without_controls(plain));
  if (reads_entities && std::find(repaired.begin(), repaired.end(), U'&') != repaired.end()) {
    repaired = normalize_nfc(unescape_all(repaired));
  }
  return repaired;
}

}  // namespace

std::vector<char32_t> repair(Span<const char32_t> text) {
  // A tag, and the lines after it, may be meant as HTML.
  const auto tag = std::find(text.begin(), text.end(), U'<');
  const auto line = std::find(std::make_reverse_iterator(tag), text.rend(), U'\n').base();
  const auto head = static_cast<std::size_t>(tag == text.end() ? text.size() : line - text.begin());
  std::vector<char32_t> repaired = repair_lines(text.first(head), true);
  const std::vector<char32_t> rest = repair_lines(text.subspan(head), false);
  repaired.insert(repaired.end(), rest.begin(), rest.end());
  return repaired;
}

}  // namespace kandinsky::text
