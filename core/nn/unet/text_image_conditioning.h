#pragma once

#include <ATen/core/Tensor.h>

#include "nn/layers/linear.h"
#include "nn/layers/norm.h"

namespace kandinsky::nn {

/// Tokens that an image embedding becomes.
inline constexpr int64_t kImageTokens = 10;

/// How Kandinsky 2.1 conditions its UNet on text and image embeddings: as context tokens of
/// cross-attention and as an addition to the time embedding.
class TextImageConditioning {
 public:
  struct Shape {
    int64_t cross_attention_dim = 0;
    int64_t encoder_hid_dim = 0;
    int64_t time_embed_dim = 0;
  };
  struct Output {
    at::Tensor encoder_hidden_states;  ///< [B, kImageTokens + T, cross_attention_dim]: of the
                                       ///< image, then of the text
    at::Tensor aug_emb;                ///< [B, time_embed_dim]
  };
  TextImageConditioning(const tensor::Weights& weights, const Shape& shape);

  /// image_embeds, text_embeds: [B, cross_attention_dim], text_encoder_hidden_states: [B, T,
  /// encoder_hid_dim]. Padding rows of the text take part, as in the reference. Source: diffusers,
  /// TextImageProjection and TextImageTimeEmbedding.
  Output operator()(const at::Tensor& image_embeds, const at::Tensor& text_embeds,
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
