#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Words that CLI11 would change: it takes "[a,b]" for a list, "[[aa]]" for an escaped "[a]", "{}"
/// for nothing, and for "--name=" the next word. With a mark in front it leaves them alone; an
/// option's reader takes the mark away.
namespace kandinsky::cli {

/// The program's words, marked where needed.
std::vector<std::string> marked(int count, const char* const* words);

/// A value as it was given.
std::string unmarked(std::string_view value);

/// A message of CLI11's that may name marked words.
std::string without_marks(std::string text);

}  // namespace kandinsky::cli
