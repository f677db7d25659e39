#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "text/tokens.h"

namespace kandinsky::text {

/// XLM-R's SentencePiece unigram tokenizer with its fairseq numbering: <s> 0, <pad> 1, </s> 2,
/// <unk> 3, piece p of the model p + 1, <mask> last. Source: transformers, XLMRobertaTokenizer.
/// Immutable after load: any number of threads may use one object. Cheap to copy.
class XlmrTokenizer {
 public:
  /// Reads sentencepiece.bpe.model (a unigram model, despite its name).
  /// Throws Error: kNotFound when it is missing; kCorruptFile when it is not a SentencePiece model
  /// or its first three pieces are not <unk>, <s> and </s>.
  static XlmrTokenizer load(std::string_view folder);

  /// <s>, at most max_length - 2 tokens of the prompt, </s>, then <pad> to max_length.
  /// max_length >= 2. Throws Error(kInvalidArgument) for invalid UTF-8 (with the byte's offset), a
  /// prompt over limits::kMaxPromptBytes, or a max_length out of range.
  Tokens encode(std::string_view prompt, int max_length = kDefaultMaxLength) const;

  /// The prompt's tokens alone, without special tokens or truncation. Throws as encode.
  std::vector<std::int64_t> tokenize(std::string_view prompt) const;

  /// The same for a text in parts; the limit applies to their total.
  PartTokens tokenize(Span<const std::string_view> parts) const;

  /// The row of a prompt with these tokens, as encode makes it.
  Tokens make_row(const std::vector<std::int64_t>& ids, int max_length = kDefaultMaxLength) const;

  /// Pieces of the model + 2: the minimum size of an embedding table.
  std::int64_t vocab_size() const noexcept;

 private:
  struct Impl;
  explicit XlmrTokenizer(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace kandinsky::text
