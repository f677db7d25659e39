#pragma once

#include <vector>

#include "base/span.h"

namespace kandinsky::text {

/// A text as CLIP's tokenizer of hosts reads it, which repairs it first. HTML entities become their
/// characters, also nested ones, but not in a line that has a "<" nor in any after it; C1 controls
/// become what Windows means by them; ligatures of Latin letters, full-width and half-width forms
/// and typographic quotes become the ordinary characters; terminal escapes and control characters
/// go; what is left is composed (NFC). Repairing a repaired text changes nothing. Takes time linear
/// in the text.
/// Left out on purpose: guessing which text was decoded by the wrong rule ("Ã©" for "é"), which
/// depends on a model of likelihood; line breaks stay as they are, they are white space either way.
/// Source: ftfy, fix_text with its defaults.
std::vector<char32_t> repair(Span<const char32_t> text);

}  // namespace kandinsky::text
