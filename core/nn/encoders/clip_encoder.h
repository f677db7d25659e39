/// The transformer of both CLIP towers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "io/json_config.h"
#include "nn/layers/activation.h"
#include "nn/layers/attention.h"
#include "nn/layers/linear.h"
#include "nn/layers/norm.h"
#include "nn/layers/unit.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

struct ClipEncoderConfig {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  double layer_norm_eps = 1e-5;
  Activation hidden_act = Activation::kQuickGelu;

  static ClipEncoderConfig from_json(const io::JsonConfig& json);
};

/// Pre-norm blocks. Tensors: "layers.N.{layer_norm1,self_attn,layer_norm2,mlp}".
class ClipEncoder {
 public:
  ClipEncoder(const tensor::Weights& weights, const ClipEncoderConfig& config, Masking masking);

  /// embeddings: [B, T, hidden_size]; the result has the same shape and is not normalised. What the
  /// layers add to is in fp32.
  at::Tensor operator()(const at::Tensor& embeddings) const;

 private:
  struct Layer {
    LayerNorm layer_norm1;
    Linear q_proj, k_proj, v_proj, out_proj;
    LayerNorm layer_norm2;
    Linear fc1, fc2;
  };
  std::vector<Unit<Layer>> layers_;
  int64_t heads_;
  Activation hidden_act_;
  Masking masking_;
};

}  // namespace kandinsky::nn
