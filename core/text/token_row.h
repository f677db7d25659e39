#pragma once

#include <cstdint>
#include <vector>

#include "text/tokens.h"

namespace kandinsky::text {

struct RowIds {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t pad = 0;
};

/// begin, content cut so that end fits, end, pad up to max_length.
/// Throws Error(kInvalidArgument) when max_length is not in [2, 2^20].
Tokens make_row(const std::vector<std::int64_t>& content, const RowIds& special, int max_length);

/// The range check of make_row alone, to be done before the work.
void check_max_length(int max_length);

}  // namespace kandinsky::text
