#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "text/tokens.h"

namespace kandinsky::fuzz {

/// What must hold for a text, whatever the tokenizer. The text's first byte says where it is cut in
/// two.
template <typename Tokenizer>
void check_text(const Tokenizer& tokenizer, std::string_view text) {
  const std::size_t seed = text.empty() ? 0 : static_cast<unsigned char>(text[0]);
  std::vector<std::int64_t> ids;
  const bool taken = accepts([&] { ids = tokenizer.tokenize(text); });
  require(taken == (find_invalid_utf8(text) == std::string_view::npos &&
                    text.size() <= limits::kMaxPromptBytes),
          "UTF-8 of a prompt's length is taken, and nothing else");
  const int length = 2 + static_cast<int>(seed % 80);
  if (!taken) {
    require(!accepts([&] { (void)tokenizer.encode(text, length); }),
            "every way refuses what one refuses");
    return;
  }
  require(std::all_of(ids.begin(), ids.end(),
                      [&](std::int64_t id) { return id >= 0 && id < tokenizer.vocab_size(); }),
          "ids are in the vocabulary");

  const text::Tokens row = tokenizer.encode(text, length);
  const auto size = static_cast<std::size_t>(length);
  require(row.ids.size() == size && row.attention_mask.size() == size,
          "a row has the length asked for");
  require(std::is_sorted(row.attention_mask.rbegin(), row.attention_mask.rend()),
          "padding is at the end");
  require(row.num_dropped ==
              std::max<std::int64_t>(0, static_cast<std::int64_t>(ids.size() + 2) - length),
          "what was cut is counted");
  const std::size_t kept = std::min(ids.size(), size - 2);
  require(
      std::equal(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept), row.ids.begin() + 1),
      "a row holds the prompt's tokens");
  require(tokenizer.make_row(ids, length).ids == row.ids, "a row is made of its tokens");

  const std::array<std::string_view, 1> whole = {text};
  require(tokenizer.tokenize(whole).ids == ids, "one part is the text");
  std::size_t cut = text.empty() ? 0 : seed % text.size();
  while (cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) ++cut;
  const std::array<std::string_view, 2> halves = {text.substr(0, cut), text.substr(cut)};
  const text::PartTokens parts = tokenizer.tokenize(halves);
  require(parts.ids.size() == parts.parts.size() &&
              std::is_sorted(parts.parts.begin(), parts.parts.end()) &&
              (parts.parts.empty() || parts.parts.back() < halves.size()),
          "each token comes from one part, in order");
}

}  // namespace kandinsky::fuzz
