#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/ascii.h"
#include "base/error.h"
#include "base/span.h"

namespace kandinsky::samplers {

/// The row of a table with that name, in any case. what: the kind of row, for the message. Throws
/// Error(kInvalidArgument) listing the known ones.
template <typename Row>
const Row& find_row(Span<const Row> rows, std::string_view what, std::string_view name) {
  std::string known;
  for (const Row& row : rows) {
    if (same_word(row.name, name)) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} \"{}\" is not known; known are: {}", what, name, known));
}

}  // namespace kandinsky::samplers
