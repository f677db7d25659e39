#pragma once

#include <cstdint>
#include <vector>

#include "io/json_config.h"
#include "nn/layers/activation.h"
#include "nn/layers/linear.h"
#include "nn/layers/norm.h"
#include "nn/layers/unit.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// MultilingualCLIP: XLM-RoBERTa with a pooled projection, the decoder's text encoder.
class MultilingualClip {
 public:
  struct Output {
    at::Tensor text_embeds;                 ///< [B, numDims]
    at::Tensor text_encoder_hidden_states;  ///< [B, T, hidden_size], with the rows of padding
  };

  /// Throws Error(kCorruptFile, kUnsupported) for a config or weights that do not fit.
  MultilingualClip(const io::JsonConfig& config, const tensor::Weights& weights);

  /// ids, attention_mask: [B, T] int64; mask 1 for tokens, 0 for padding, with at least one token a
  /// row. Source: diffusers, MultilingualCLIP.forward.
  Output operator()(const at::Tensor& ids, const at::Tensor& attention_mask) const;

  int64_t hidden_size() const { return hidden_size_; }
  int64_t projection_dim() const { return projection_dim_; }
  int64_t vocab_size() const { return vocab_size_; }
  int64_t pad_token_id() const { return pad_token_id_; }
  /// Maximum sequence length of the position table.
  int64_t max_length() const { return max_position_embeddings_ - pad_token_id_ - 1; }

 private:
  /// The number of positions to compute: all later ones are padding, whose result equals the last
  /// of these, as it attends to the same tokens from the same position.
  int64_t places_that_differ(const at::Tensor& ids, const at::Tensor& attention_mask) const;

  struct Layer {
    Linear query, key, value, attention_output;
    LayerNorm attention_norm;
    Linear intermediate, output;
    LayerNorm output_norm;
  };
  int64_t hidden_size_;
  int64_t projection_dim_;
  int64_t vocab_size_;
  int64_t max_position_embeddings_;
  int64_t pad_token_id_;
  int64_t heads_;
  Activation hidden_act_;
  tensor::Placement placement_;
  tensor::StoredTable word_embeddings_;  // only a prompt's rows are read
  at::Tensor position_embeddings_;
  at::Tensor token_type_embedding_;
  LayerNorm embeddings_norm_;
  std::vector<Unit<Layer>> layers_;
  Linear linear_transformation_;
};

}  // namespace kandinsky::nn
