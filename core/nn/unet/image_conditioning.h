#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/layers/linear.h"
#include "nn/layers/norm.h"
#include "nn/unet/unet_context.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// Kandinsky 2.2's conditioning of the UNet on an image embedding alone: context tokens of
/// cross-attention and an addition to the time embedding.
class ImageConditioning {
 public:
  /// Tokens that an image embedding becomes.
  static constexpr int64_t kTokens = 32;

  struct Shape {
    int64_t cross_attention_dim = 0;
    int64_t image_embed_dim = 0;
    int64_t time_embed_dim = 0;
  };
  ImageConditioning(const tensor::Weights& weights, const Shape& shape);

  /// image_embeds: [B, image_embed_dim]. Returns kTokens tokens. Source: diffusers, ImageProjection
  /// and ImageTimeEmbedding.
  UNetContext operator()(const at::Tensor& image_embeds) const;

 private:
  int64_t cross_attention_dim_;
  Linear hid_image_embeds_;
  LayerNorm hid_norm_;
  Linear add_image_proj_;
  LayerNorm add_image_norm_;
};

}  // namespace kandinsky::nn
