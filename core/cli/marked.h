#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Arguments that CLI11 would change: it parses "[a,b]" as a list, "[[aa]]" as an escaped "[a]",
/// "{}" as nothing, and takes the next argument for "--name=". With a mark in front it does not
/// change them; an option's reader removes the mark.
namespace kandinsky::cli {

/// The program's arguments, marked where needed.
std::vector<std::string> marked(int count, const char* const* words);

/// A value as it was given.
std::string unmarked(std::string_view value);

/// A message of CLI11 that may contain marked arguments.
std::string without_marks(std::string text);

}  // namespace kandinsky::cli
