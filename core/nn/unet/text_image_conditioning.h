#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/layers/linear.h"
#include "nn/layers/norm.h"
#include "nn/unet/unet_context.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// Kandinsky 2.1's conditioning of the UNet on text and image embeddings: context tokens of
/// cross-attention and an addition to the time embedding.
class TextImageConditioning {
 public:
  /// Tokens that an image embedding becomes.
  static constexpr int64_t kImageTokens = 10;

  struct Shape {
    int64_t cross_attention_dim = 0;
    int64_t encoder_hid_dim = 0;
    int64_t time_embed_dim = 0;
  };
  TextImageConditioning(const tensor::Weights& weights, const Shape& shape);

  /// image_embeds, text_embeds: [B, cross_attention_dim], text_encoder_hidden_states: [B, T,
  /// encoder_hid_dim]. Returns kImageTokens tokens of the image, then those of the text,
  /// including padding rows, as in the reference. Source: diffusers, TextImageProjection and
  /// TextImageTimeEmbedding.
  UNetContext operator()(const at::Tensor& image_embeds, const at::Tensor& text_embeds,
                         const at::Tensor& text_encoder_hidden_states) const;

 private:
  int64_t cross_attention_dim_;
  Linear hid_image_embeds_;
  Linear hid_text_proj_;
  Linear add_text_proj_;
  LayerNorm add_text_norm_;
  Linear add_image_proj_;
};

}  // namespace kandinsky::nn
