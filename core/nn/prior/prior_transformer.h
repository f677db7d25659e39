#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "io/json_config.h"
#include "nn/layers/linear.h"
#include "nn/layers/norm.h"
#include "nn/layers/timestep_embedding.h"
#include "nn/layers/unit.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// The prior: text embeds and a noisy image embedding -> the clean image embedding.
class PriorTransformer {
 public:
  /// Keys and values of one block, [B, T, inner] each.
  struct Memory {
    at::Tensor key;
    at::Tensor value;
  };
  /// A prompt's texts, e.g. itself and the unconditional one.
  struct Texts {
    at::Tensor text_embeds;                 ///< [B, E]
    at::Tensor text_encoder_hidden_states;  ///< [B, T, E], T is num_embeddings
    at::Tensor attention_mask;              ///< [B, T] int64, 1 for tokens and 0 for padding
  };
  /// The constant part of all steps of one prompt. The text's tokens come before everything
  /// that changes, and attention is causal: so they are computed once, and each block keeps their
  /// keys and values in a KV cache.
  struct Conditioning {
    at::Tensor tokens;    ///< [B, T + 1, inner]: text states, pooled text, at their positions
    at::Tensor key_mask;  ///< [B, 1, S, S], added to the scores
    std::vector<Memory> memories;  ///< KV cache of the text, one for each block; empty: no cache
  };
  /// Several prompts. Each block's weights are read once for all of them, and no prompt's result
  /// depends on the others'.
  struct Batch {
    std::vector<Conditioning> prompts;
    /// Whether a product of all prompts' rows in a step gives the same bits as one for each;
    /// empty before the first step.
    std::optional<bool> is_joined{};
  };

  /// Throws Error(kCorruptFile, kUnsupported) for a config or weights that do not fit.
  PriorTransformer(const io::JsonConfig& config, const tensor::Weights& weights);

  Batch condition(const std::vector<Texts>& prompts) const;

  /// latents: [B, E] of each prompt. Returns their predicted clean embeddings [B, E] in
  /// standardised space. Source: diffusers, PriorTransformer.forward.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& latents, double timestep,
                                     Batch& batch) const;

  /// Standardised -> image embedding: latents * clip_std + clip_mean. Source:
  /// PriorTransformer.post_process_latents.
  at::Tensor post_process_latents(const at::Tensor& latents) const;

  int64_t embedding_dim() const { return embedding_dim_; }
  int64_t num_embeddings() const { return num_embeddings_; }
  const tensor::Placement& placement() const { return placement_; }

  /// The number of elements in the KV cache of one row of a Conditioning.
  static int64_t elements_of_a_row(const io::JsonConfig& config);

 private:
  struct Block {
    LayerNorm norm1;
    Linear to_q, to_k, to_v, to_out;
    LayerNorm norm3;
    Linear ff_in, ff_out;
  };
  /// One prompt's tokens on their way through the blocks.
  struct Tokens {
    at::Tensor x;         ///< [B, T, inner], fp32: what the blocks add to
    at::Tensor key_mask;  ///< [B, 1, T, S]: they attend to the cached ones and themselves
  };
  Conditioning embed(const Texts& texts) const;
  /// One block for the tokens from `first` to `end`, as one product of all their rows. Appends
  /// their own keys and values to the caches, one for each element of `tokens`.
  void apply(const Block& block, std::vector<Tokens>& tokens, size_t first, size_t end,
             std::vector<Memory>& memories) const;
  /// One block for all tokens. Decides is_joined if it is empty.
  void apply_to_all(const Block& block, std::vector<Tokens>& tokens, std::vector<Memory>& memories,
                    std::optional<bool>& is_joined) const;

  int64_t heads_;
  int64_t embedding_dim_;
  int64_t num_embeddings_;
  int64_t inner_dim_;
  tensor::Placement placement_;
  at::Tensor positional_embedding_;
  at::Tensor prd_embedding_;
  at::Tensor clip_mean_;
  at::Tensor clip_std_;
  TimestepEmbedding time_embedding_;
  Linear proj_in_;
  Linear embedding_proj_;
  Linear encoder_hidden_states_proj_;
  std::vector<Unit<Block>> blocks_;
  LayerNorm norm_out_;
  Linear proj_to_clip_embeddings_;
};

}  // namespace kandinsky::nn
