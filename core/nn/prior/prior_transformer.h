#pragma once

#include <cstdint>
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
  /// The constant part of all steps of one prompt. The text's tokens come before everything
  /// that changes, and attention is causal: so they are computed once, and each block keeps their
  /// keys and values in a KV cache.
  struct Conditioning {
    at::Tensor tokens;    ///< [B, T + 1, inner]: text states, pooled text, at their positions
    at::Tensor key_mask;  ///< [B, 1, S, S], added to the scores
    std::vector<Memory> memories;  ///< KV cache of the text, one for each block; empty: no cache
  };

  /// Throws Error(kCorruptFile, kUnsupported) for a config or weights that do not fit.
  PriorTransformer(const io::JsonConfig& config, const tensor::Weights& weights);

  /// text_embeds: [B, E], text_encoder_hidden_states: [B, T, E], attention_mask: [B, T] int64, 1
  /// for tokens and 0 for padding; T is num_embeddings.
  Conditioning condition(const at::Tensor& text_embeds,
                         const at::Tensor& text_encoder_hidden_states,
                         const at::Tensor& attention_mask) const;

  /// latents: [B, E]. Returns the predicted clean embedding [B, E] in standardised space.
  /// Source: diffusers, PriorTransformer.forward.
  at::Tensor operator()(const at::Tensor& latents, double timestep,
                        const Conditioning& conditioning) const;

  /// Standardised -> image embedding: latents * clip_std + clip_mean. Source:
  /// PriorTransformer.post_process_latents.
  at::Tensor post_process_latents(const at::Tensor& latents) const;

  int64_t embedding_dim() const { return embedding_dim_; }
  int64_t num_embeddings() const { return num_embeddings_; }

  /// The number of elements in the KV cache of one row of a Conditioning.
  static int64_t elements_of_a_row(const io::JsonConfig& config);

 private:
  struct Block {
    LayerNorm norm1;
    Linear to_q, to_k, to_v, to_out;
    LayerNorm norm3;
    Linear ff_in, ff_out;
  };
  /// One block, for tokens x [B, T, inner] that attend to the cached ones and themselves.
  /// key_mask: [B, 1, T, S]. Appends the tokens' own keys and values to the cache `memory`.
  at::Tensor apply(const Block& block, const at::Tensor& x, const at::Tensor& key_mask,
                   Memory& memory) const;

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
