#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kandinsky::text {

/// A prompt as input of a network.
struct Tokens {
  std::vector<std::int64_t> ids;  ///< [max_length], padded on the right
  std::vector<std::int64_t>
      attention_mask;            ///< [max_length], 1 from the first to the end token, else 0
  std::int64_t num_dropped = 0;  ///< Tokens of the prompt that were truncated; 0 when all fit.
};

/// The tokens of a text in parts, as if it were one text.
struct PartTokens {
  std::vector<std::int64_t> ids;
  std::vector<std::size_t> parts;  ///< the part of each token's last character; ascending
};

/// The length that every Kandinsky 2.1 pipeline uses for both tokenizers.
inline constexpr int kDefaultMaxLength = 77;

}  // namespace kandinsky::text
