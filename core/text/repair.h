#pragma once

#include <vector>

#include "base/span.h"

namespace kandinsky::text {

/// Repairs a text as CLIP's tokenizer in hosts does. HTML entities become their
/// characters, also nested ones, but not in a line with a "<" or in later lines; C1 controls
/// become Windows-1252 characters; ligatures of Latin letters, full-width and half-width forms
/// and typographic quotes become ordinary characters; terminal escapes and control characters
/// are removed; the result is composed (NFC). Repairing a repaired text changes nothing. Takes time
/// linear in the text. Deliberately omitted: repairing wrongly decoded text ("Ã©" for "é"), which
/// depends on a statistical model. Line breaks are unchanged; they are white space anyway. Source:
/// ftfy, fix_text with its defaults.
std::vector<char32_t> repair(Span<const char32_t> text);

}  // namespace kandinsky::text
