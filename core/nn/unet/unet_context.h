#pragma once

#include <ATen/core/Tensor.h>

namespace kandinsky::nn {

/// Of the layer norms that conditions pass through.
inline constexpr double kConditionNormEps = 1e-5;

/// Embeddings as input of a UNet.
struct UNetContext {
  at::Tensor encoder_hidden_states;  ///< [B, T, cross_attention_dim], for cross-attention
  at::Tensor aug_emb;                ///< [B, time_embed_dim], added to the time embedding
};

}  // namespace kandinsky::nn
