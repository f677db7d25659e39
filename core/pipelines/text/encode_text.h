/// One text through a text encoder: in chunks that the encoder can take, and with the weights of
/// its words.
///
/// A prompt ends a chunk at each BREAK and, where long prompts are read, after each 75 tokens;
/// every chunk is encoded alone.
///
/// A weight w moves everything that a chunk is encoded as, the pooled vector and all rows of the
/// hidden states, by w - 1 times what the weighted part adds to it: the difference from the chunk
/// encoded without the part, whose rows are put back to their places, 0 at the part's own. So the
/// part's own rows are multiplied by w, as in hosts, but its trace in all other rows grows and
/// shrinks with them, and a weight of 0 leaves the text without the part. (Multiplying the own rows
/// alone does next to nothing here: the prior still finds 96 % of "red" in the rows of the words
/// behind it.) Several parts add up; weights of 1 leave no trace. Each part with another weight
/// costs one more pass of the encoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "nn/encoders/clip_text.h"
#include "nn/encoders/mclip.h"
#include "pipelines/monitor.h"
#include "pipelines/text/run_prior.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {

/// How a prompt is read; see PromptRequest.
struct TextOptions {
  bool parse_weights = true;
  bool long_prompts = false;

  bool operator==(const TextOptions&) const = default;
};

/// How many chunks the text can be read in at most, from its length alone.
int64_t most_chunks(const std::string& text, const TextOptions& options);

/// A text as the decoder takes it, fp32 on the CPU.
struct DecoderText {
  at::Tensor prompt_embeds;               ///< [1, E]; of several chunks the mean by their tokens
  at::Tensor text_encoder_hidden_states;  ///< [1, 77 * chunks, X]
};

/// The chunks of a text for the prior, at least one and at most limits::kMaxPromptChunks; what
/// comes after is left out with a remark. Throws as the tokenizer and text::parse_prompt_weights.
std::vector<PriorText> encode_prior_text(const nn::ClipTextEncoder& encoder,
                                         const text::ClipTokenizer& tokenizer,
                                         const std::string& text, const TextOptions& options,
                                         const Monitor& monitor);

/// The same for the decoder.
DecoderText encode_decoder_text(const nn::MultilingualClip& encoder,
                                const text::XlmrTokenizer& tokenizer, const std::string& text,
                                const TextOptions& options, const Monitor& monitor);

}  // namespace kandinsky::pipelines
