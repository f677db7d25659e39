#pragma once

#include <cstdint>

#include "io/json_config.h"
#include "nn/encoders/clip_encoder.h"
#include "nn/layers/linear.h"
#include "nn/layers/norm.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// CLIP's text tower with projection.
class ClipTextEncoder {
 public:
  struct Output {
    at::Tensor text_embeds;        ///< [B, projection_dim], not normalised
    at::Tensor last_hidden_state;  ///< [B, T, hidden_size], after the final layer norm
  };

  /// Throws Error(kCorruptFile, kUnsupported) for a config or weights that do not fit.
  ClipTextEncoder(const io::JsonConfig& config, const tensor::Weights& weights);

  /// ids: [B, T] int64 with T <= max_position_embeddings, each below vocab_size. No padding mask is
  /// applied, as in the reference. Source: transformers, CLIPTextModelWithProjection.forward.
  Output operator()(const at::Tensor& ids) const;

  /// The same with only the first num_tokens positions: by causal attention they do not depend on
  /// later ones, which are skipped; their rows of last_hidden_state are zeros.
  Output operator()(const at::Tensor& ids, int64_t num_tokens) const;

  int64_t hidden_size() const { return config_.hidden_size; }
  int64_t projection_dim() const { return projection_dim_; }
  int64_t vocab_size() const { return vocab_size_; }
  int64_t max_position_embeddings() const { return max_position_embeddings_; }

 private:
  ClipEncoderConfig config_;
  int64_t vocab_size_;
  int64_t max_position_embeddings_;
  int64_t projection_dim_;
  int64_t eos_token_id_;
  tensor::Placement placement_;
  tensor::StoredTable token_embedding_;  // only a prompt's rows are read
  at::Tensor position_embedding_;
  ClipEncoder encoder_;
  LayerNorm final_layer_norm_;
  Linear text_projection_;
};

}  // namespace kandinsky::nn
