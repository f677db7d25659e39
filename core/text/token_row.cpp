#include "text/token_row.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "text/tokens.h"
#include "text/unicode.h"

namespace kandinsky::text {
namespace {

constexpr std::size_t kNumSpecial = 2;
constexpr int kMaxMaxLength = 1 << 20;

}  // namespace

void check_max_length(int max_length) {
  if (max_length < static_cast<int>(kNumSpecial) || max_length > kMaxMaxLength) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("max_length is {}, expected {} to {}",
                                                         max_length, kNumSpecial, kMaxMaxLength));
  }
}

Tokens make_row(const std::vector<std::int64_t>& content, const RowIds& special, int max_length) {
  check_max_length(max_length);
  const auto length = static_cast<std::size_t>(max_length);
  const std::size_t kept = std::min(content.size(), length - kNumSpecial);
  Tokens tokens;
  tokens.num_dropped = static_cast<std::int64_t>(content.size() - kept);
  tokens.ids.reserve(length);
  tokens.ids.push_back(special.begin);
  tokens.ids.insert(tokens.ids.end(), content.begin(),
                    content.begin() + static_cast<std::ptrdiff_t>(kept));
  tokens.ids.push_back(special.end);
  tokens.attention_mask.assign(tokens.ids.size(), 1);
  tokens.ids.resize(length, special.pad);
  tokens.attention_mask.resize(length, 0);
  return tokens;
}

void check_prompt_parts(Span<const std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) {
    check_prompt(part);
    size += part.size();
  }
  if (size > limits::kMaxPromptBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the parts of a prompt have {} bytes, at most {}", size,
                            limits::kMaxPromptBytes));
  }
}

std::vector<std::size_t> parts_of(const std::vector<std::size_t>& token_ends,
                                  const std::vector<std::size_t>& part_ends) {
  std::vector<std::size_t> parts;
  parts.reserve(token_ends.size());
  std::size_t part = 0;
  for (const std::size_t end : token_ends) {
    while (part + 1 < part_ends.size() && part_ends[part] < end) ++part;
    parts.push_back(part);
  }
  return parts;
}

}  // namespace kandinsky::text
