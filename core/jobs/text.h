#pragma once

#include <string>
#include <string_view>

#include "base/ascii.h"  // IWYU pragma: export

/// Text functions independent of the locale.
namespace kandinsky::jobs {

// For the command line, which sees no base/.
using kandinsky::lower;
using kandinsky::same_word;

bool is_utf8(std::string_view text);

/// The text with U+FFFD in place of each byte that is not valid UTF-8.
std::string to_utf8(std::string_view text);

/// As Python's str.strip(): without Unicode spaces at both ends.
std::string_view stripped(std::string_view text);

}  // namespace kandinsky::jobs
