#pragma once

#include <string_view>
#include <vector>

/// Unicode rules for CLIP's tokenizer, on code points.
namespace kandinsky::text {

/// Throws Error(kInvalidArgument) with the offset of the first byte that is not valid UTF-8
/// (overlong forms, surrogates and values above U+10FFFF included), or when text has more than
/// limits::kMaxPromptBytes bytes.
void check_prompt(std::string_view text);

/// Canonical composition, in linear time except for a sort of each run of combining marks.
std::vector<char32_t> normalize_nfc(const std::vector<char32_t>& text);

/// Appends the compatibility decomposition of one character: "A" for a full-width one.
void append_compatible(char32_t c, std::vector<char32_t>* out);

/// Lower case by the full mappings, with the final sigma at the end of a word. Source:
/// Unicode, 3.13, as Python's str.lower.
std::vector<char32_t> lower(const std::vector<char32_t>& text);

bool is_ascii_letter(char32_t c) noexcept;
bool is_decimal_digit(char32_t c) noexcept;  ///< general category Nd
bool is_letter(char32_t c) noexcept;         ///< general category L*
bool is_number(char32_t c) noexcept;         ///< general category N*
bool is_space(char32_t c) noexcept;          ///< property White_Space

}  // namespace kandinsky::text
