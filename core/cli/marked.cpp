#include "cli/marked.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kandinsky::cli {
namespace {

constexpr char kMark = '\x01';

bool needs_mark(std::string_view value) {
  return value.empty() || value.front() == '[' || value.front() == '{' ||
         value.find(kMark) != std::string_view::npos;
}

/// The position of an argument's value: after the "=" of "--name=value".
std::size_t value_place(std::string_view word) {
  return word.starts_with("--") ? word.find('=') + 1 : 0;
}

}  // namespace

std::vector<std::string> marked(int count, const char* const* words) {
  std::vector<std::string> result(words, words + count);
  for (std::string& word : result) {
    const std::size_t value = value_place(word);
    const bool has_value = value > 0 || !word.starts_with("--");
    if (has_value && needs_mark(std::string_view(word).substr(value))) word.insert(value, 1, kMark);
  }
  return result;
}

std::string unmarked(std::string_view value) {
  std::string result(value);
  // The value of one option may look like another option.
  const std::size_t place = value_place(value);
  if (place < value.size() && value[place] == kMark) result.erase(place, 1);
  return result;
}

std::string without_marks(std::string text) {
  std::erase(text, kMark);
  return text;
}

}  // namespace kandinsky::cli
