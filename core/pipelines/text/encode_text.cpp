#include "pipelines/text/encode_text.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/mclip.h"
#include "pipelines/monitor.h"
#include "pipelines/text/run_prior.h"
#include "tensor/bridge.h"
#include "text/clip_bpe.h"
#include "text/prompt_weights.h"
#include "text/tokens.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {
namespace {

constexpr size_t kChunkTokens = text::kDefaultMaxLength - 2;

/// Tokens that are encoded as one row, without begin and end.
struct Chunk {
  std::vector<int64_t> ids;
  std::vector<size_t> parts;  ///< of each token; they ascend
  std::vector<float> weights;

  int64_t num_tokens() const { return static_cast<int64_t>(ids.size()); }

  /// The tokens that do not belong to a part.
  std::vector<int64_t> ids_without(size_t part) const {
    std::vector<int64_t> rest;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (parts[i] != part) rest.push_back(ids[i]);
    }
    return rest;
  }
};

struct Chunks {
  std::vector<Chunk> chunks;  ///< at least one; an empty one is the only one
  size_t num_dropped = 0;
};

/// The beginning of a text, not cut inside a character.
std::string_view first_words(std::string_view text) {
  constexpr size_t kBytes = 40;
  if (text.size() <= kBytes) return text;
  size_t end = kBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

template <typename Tokenizer>
Chunks read_chunks(const Tokenizer& tokenizer, const std::string& text,
                   const TextOptions& options) {
  Chunks result;
  const std::vector<text::WeightedText> texts = options.parse_weights
                                                    ? text::parse_prompt_weights(text)
                                                    : std::vector{text::WeightedText::plain(text)};
  for (const text::WeightedText& weighted : texts) {
    const text::PartTokens tokens = tokenizer.tokenize(weighted.part_texts());
    size_t begin = 0;
    while (begin < tokens.ids.size() && result.chunks.size() < limits::kMaxPromptChunks) {
      const size_t end = std::min(begin + kChunkTokens, tokens.ids.size());
      Chunk& chunk = result.chunks.emplace_back();
      for (; begin < end; ++begin) {
        chunk.ids.push_back(tokens.ids[begin]);
        chunk.parts.push_back(tokens.parts[begin]);
        chunk.weights.push_back(static_cast<float>(weighted.parts[tokens.parts[begin]].weight));
      }
      if (!options.long_prompts) break;
    }
    result.num_dropped += tokens.ids.size() - begin;
  }
  if (result.chunks.empty()) result.chunks.emplace_back();
  return result;
}

void say_if_cut(const std::string& text, const Chunks& read, const char* which,
                const Monitor& monitor) {
  if (read.num_dropped == 0) return;
  if (read.chunks.size() == 1) {
    monitor.say(
        fmt::format("The {} reads {} tokens of a prompt; the last {} tokens of \"{}...\" were left "
                    "out.",
                    which, kChunkTokens, read.num_dropped, first_words(text)));
  } else {
    monitor.say(fmt::format(
        "The {} reads up to {} chunks of {} tokens of a prompt; {} tokens of \"{}...\" were left "
        "out.",
        which, limits::kMaxPromptChunks, kChunkTokens, read.num_dropped, first_words(text)));
  }
}

/// An encoder's output for one row of tokens.
struct Encoded {
  at::Tensor pooled;         ///< [1, E]
  at::Tensor hidden_states;  ///< [1, 77, X]
};

using Encode = std::function<Encoded(const std::vector<int64_t>& ids)>;

/// Hidden states of a chunk without one part, each row at its position in the whole chunk; 0 at the
/// part's own positions.
at::Tensor put_back(const at::Tensor& without, const Chunk& chunk, size_t part) {
  const auto length = static_cast<size_t>(without.size(1));
  std::vector<int64_t> sources(length);
  std::vector<float> is_there(length, 1.0F);
  std::iota(sources.begin(), sources.end(), int64_t{0});  // begin and padding do not move
  int64_t source = 1;
  for (size_t i = 0; i < chunk.ids.size(); ++i) {
    sources[i + 1] = source;
    if (chunk.parts[i] == part) {
      is_there[i + 1] = 0.0F;
    } else {
      ++source;
    }
  }
  sources[chunk.ids.size() + 1] = source;  // the end
  return without.index_select(1, tensor::from_ids(sources).squeeze(0).to(without.device())) *
         tensor::from_floats(is_there.data(), {1, without.size(1), 1}).to(without.device());
}

/// Encodes a chunk and applies its weights.
Encoded encode_chunk(const Chunk& chunk, const Encode& encode, const Monitor& monitor) {
  monitor.check_cancelled();
  const Encoded plain = encode(chunk.ids);
  Encoded moved = plain;
  for (size_t i = 0; i < chunk.ids.size(); ++i) {
    const size_t part = chunk.parts[i];
    const float more = chunk.weights[i] - 1.0F;
    if (more == 0.0F || (i > 0 && chunk.parts[i - 1] == part)) continue;
    monitor.check_cancelled();
    const Encoded without = encode(chunk.ids_without(part));
    moved.pooled = moved.pooled + more * (plain.pooled - without.pooled);
    moved.hidden_states =
        moved.hidden_states +
        more * (plain.hidden_states - put_back(without.hidden_states, chunk, part));
  }
  return moved;
}

}  // namespace

int64_t most_chunks(const std::string& text, const TextOptions& options) {
  constexpr std::string_view kBreak = "BREAK";
  size_t chunks = 1;
  if (options.parse_weights) {
    for (size_t at = text.find(kBreak); at != std::string::npos; at = text.find(kBreak, at + 1))
      ++chunks;
  }
  // A token has at least one byte.
  if (options.long_prompts) chunks += text.size() / kChunkTokens;
  return static_cast<int64_t>(std::min(chunks, limits::kMaxPromptChunks));
}

std::vector<PriorText> encode_prior_text(const nn::ClipTextEncoder& encoder,
                                         const text::ClipTokenizer& tokenizer,
                                         const std::string& text, const TextOptions& options,
                                         const Monitor& monitor) {
  const Chunks read = read_chunks(tokenizer, text, options);
  say_if_cut(text, read, "prior", monitor);
  const Encode encode = [&](const std::vector<int64_t>& ids) -> Encoded {
    const text::Tokens row = tokenizer.make_row(ids);
    // The prior masks out the padding.
    const auto output =
        encoder(tensor::from_ids(row.ids), std::ranges::count(row.attention_mask, 1));
    return {output.text_embeds, output.last_hidden_state};
  };
  std::vector<PriorText> result;
  for (const Chunk& chunk : read.chunks) {
    const Encoded encoded = encode_chunk(chunk, encode, monitor);
    const text::Tokens row = tokenizer.make_row(chunk.ids);
    // Kept after the networks are unloaded, so not on an accelerator.
    result.push_back({.text_embeds = encoded.pooled.to(at::kCPU),
                      .text_encoder_hidden_states = encoded.hidden_states.to(at::kCPU),
                      .attention_mask = tensor::from_ids(row.attention_mask),
                      .num_tokens = chunk.num_tokens()});
  }
  return result;
}

DecoderText encode_decoder_text(const nn::MultilingualClip& encoder,
                                const text::XlmrTokenizer& tokenizer, const std::string& text,
                                const TextOptions& options, const Monitor& monitor) {
  const Chunks read = read_chunks(tokenizer, text, options);
  say_if_cut(text, read, "decoder", monitor);
  const Encode encode = [&](const std::vector<int64_t>& ids) -> Encoded {
    const text::Tokens row = tokenizer.make_row(ids);
    const auto output = encoder(tensor::from_ids(row.ids), tensor::from_ids(row.attention_mask));
    return {output.text_embeds.to(at::kCPU, at::kFloat),
            output.text_encoder_hidden_states.to(at::kCPU, at::kFloat)};
  };
  std::vector<at::Tensor> prompt_embeds;
  std::vector<at::Tensor> hidden_states;
  std::vector<int64_t> num_tokens;
  for (const Chunk& chunk : read.chunks) {
    const Encoded encoded = encode_chunk(chunk, encode, monitor);
    prompt_embeds.push_back(encoded.pooled);
    hidden_states.push_back(encoded.hidden_states);
    num_tokens.push_back(chunk.num_tokens());
  }
  return {.prompt_embeds = mean_by_tokens(prompt_embeds, num_tokens),
          .text_encoder_hidden_states = at::cat(hidden_states, 1)};
}

}  // namespace kandinsky::pipelines
