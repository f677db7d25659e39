/// Encodes a text with a text encoder: in chunks, and with the weights of its words.
///
/// A chunk ends at each BREAK and, with long prompts, after each 75 tokens; chunks are encoded
/// separately.
///
/// A weight w changes the whole encoding of a chunk, the pooled vector and all rows of the
/// hidden states, by w - 1 times the contribution of the weighted part: the difference from the
/// chunk encoded without the part, its rows aligned with the original, 0 at the part's own. So the
/// part's own rows are multiplied by w, as in hosts, but its contribution to all other rows also
/// scales, and a weight of 0 gives the text without the part. (Multiplying only the own rows
/// has almost no effect here: the prior still finds 96 % of "red" in the rows of the words
/// after it.) The changes of several parts are summed; weights of 1 change nothing. Each part with
/// another weight needs one more pass of the encoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "nn/encoders/clip_text.h"
#include "nn/encoders/mclip.h"
#include "pipelines/monitor.h"
#include "pipelines/text/run_prior.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {

/// How a prompt is parsed; see PromptRequest.
struct TextOptions {
  bool parse_weights = true;
  bool long_prompts = false;

  bool operator==(const TextOptions&) const = default;
};

/// The maximum number of chunks of a text, from its length alone.
int64_t most_chunks(const std::string& text, const TextOptions& options);

/// A text as input of the decoder, fp32 on the CPU.
struct DecoderText {
  at::Tensor prompt_embeds;  ///< [1, E]; of several chunks the mean, weighted by tokens
  at::Tensor text_encoder_hidden_states;  ///< [1, 77 * chunks, X]
};

/// The chunks of a text for the prior, at least one and at most limits::kMaxPromptChunks; the
/// rest is dropped with a remark. Throws as the tokenizer and text::parse_prompt_weights.
std::vector<PriorText> encode_prior_text(const nn::ClipTextEncoder& encoder,
                                         const text::ClipTokenizer& tokenizer,
                                         const std::string& text, const TextOptions& options,
                                         const Monitor& monitor);

/// The same for the decoder.
DecoderText encode_decoder_text(const nn::MultilingualClip& encoder,
                                const text::XlmrTokenizer& tokenizer, const std::string& text,
                                const TextOptions& options, const Monitor& monitor);

}  // namespace kandinsky::pipelines
