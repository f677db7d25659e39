#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/span.h"

namespace kandinsky::samplers {

/// The row of a table whose name is that one, in any case. what: the kind of thing, for the
/// message. Throws Error(kInvalidArgument) listing the known ones.
template <typename Row>
const Row& find_row(Span<const Row> rows, std::string_view what, std::string_view name) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::string known;
  for (const Row& row : rows) {
    const std::string_view row_name = row.name;
    if (std::equal(row_name.begin(), row_name.end(), name.begin(), name.end(),
                   [&](char a, char b) { return lower(a) == lower(b); })) {
      return row;
    }
    known += (known.empty() ? "" : ", ") + std::string(row_name);
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} \"{}\" is not known; known are: {}", what, name, known));
}

}  // namespace kandinsky::samplers
