#pragma once

#include <cstdint>

#include "io/json_config.h"
#include "nn/encoders/clip_encoder.h"
#include "nn/layers/conv.h"
#include "nn/layers/linear.h"
#include "nn/layers/norm.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// CLIP's vision tower with projection.
class ClipVisionEncoder {
 public:
  /// Throws Error(kCorruptFile, kUnsupported) for a config or weights that do not fit.
  ClipVisionEncoder(const io::JsonConfig& config, const tensor::Weights& weights);

  /// pixels: [B, 3, image_size, image_size], already normalised. Returns image_embeds [B,
  /// projection_dim], not normalised. Source: transformers, CLIPVisionModelWithProjection.forward.
  at::Tensor operator()(const at::Tensor& pixels) const;

  /// The embedding [1, projection_dim] of zeros in normalised pixel space, which the reference uses
  /// without a negative prompt.
  at::Tensor zero_embeds() const;

  int64_t image_size() const { return image_size_; }
  int64_t projection_dim() const { return projection_dim_; }

 private:
  ClipEncoderConfig config_;
  int64_t image_size_;
  int64_t patch_size_;
  int64_t projection_dim_;
  tensor::Placement placement_;
  at::Tensor class_embedding_;
  Conv2d patch_embedding_;
  at::Tensor position_embedding_;
  LayerNorm pre_layernorm_;
  ClipEncoder encoder_;
  LayerNorm post_layernorm_;
  Linear visual_projection_;
};

}  // namespace kandinsky::nn
