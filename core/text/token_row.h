#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "text/tokens.h"

namespace kandinsky::text {

struct RowIds {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t pad = 0;
};

/// Tokens, and for each the offset in the text after its last character.
struct PlacedTokens {
  std::vector<std::int64_t> ids;
  std::vector<std::size_t> ends;

  void add(std::int64_t id, std::size_t end) {
    ids.push_back(id);
    ends.push_back(end);
  }
};

/// begin, content cut so that end fits, end, pad up to max_length.
/// Throws Error(kInvalidArgument) when max_length is not in [2, 2^20].
Tokens make_row(const std::vector<std::int64_t>& content, const RowIds& special, int max_length);

/// The range check of make_row, to call before the work.
void check_max_length(int max_length);

/// check_prompt for a text in parts: each must be valid, and the total not too long.
void check_prompt_parts(Span<const std::string_view> parts);

/// The part of each token: that of the last character before the token's end. Both are ascending;
/// the last part ends with the text.
std::vector<std::size_t> parts_of(const std::vector<std::size_t>& token_ends,
                                  const std::vector<std::size_t>& part_ends);

}  // namespace kandinsky::text
