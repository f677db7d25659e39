#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "text/tokens.h"

namespace kandinsky::text {

/// CLIP's byte-level BPE, with the rules of the models' tokenizer class: repaired text (see
/// repair.h), white space to single spaces, lower case, split into contractions, letters, single
/// digits and the rest, then merges. Source: transformers, CLIPTokenizer with ftfy installed, as in
/// hosts. Immutable after load: any number of threads may use one object. Cheap to copy.
class ClipTokenizer {
 public:
  /// Reads vocab.json and merges.txt, and the padding token from special_tokens_map.json or
  /// tokenizer_config.json if one is there ("<|endoftext|>" otherwise).
  /// Throws Error: kNotFound for a missing file; kCorruptFile when a file is malformed, a special
  /// token or one of the 512 byte symbols is missing, or a merge has a token that the vocabulary
  /// lacks.
  static ClipTokenizer load(std::string_view folder);

  /// <|startoftext|>, at most max_length - 2 tokens of the prompt, <|endoftext|>, then padding to
  /// max_length. max_length >= 2. Throws Error(kInvalidArgument) for invalid UTF-8 (with the byte's
  /// offset), a prompt over limits::kMaxPromptBytes, or a max_length out of range.
  Tokens encode(std::string_view prompt, int max_length = kDefaultMaxLength) const;

  /// The prompt's tokens alone, without special tokens or truncation. Throws as encode.
  std::vector<std::int64_t> tokenize(std::string_view prompt) const;

  /// The same for a text in parts; the limit applies to their total.
  PartTokens tokenize(Span<const std::string_view> parts) const;

  /// The row of a prompt with these tokens, as encode makes it.
  Tokens make_row(const std::vector<std::int64_t>& ids, int max_length = kDefaultMaxLength) const;

  std::int64_t bos_id() const noexcept;
  std::int64_t eos_id() const noexcept;
  std::int64_t pad_id() const noexcept;

  /// Largest id + 1: the minimum size of an embedding table.
  std::int64_t vocab_size() const noexcept;

 private:
  struct Impl;
  explicit ClipTokenizer(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace kandinsky::text
