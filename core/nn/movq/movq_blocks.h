/// The units of the image autoencoder's encoder and decoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "nn/layers/attention.h"
#include "nn/layers/conv.h"
#include "nn/layers/linear.h"
#include "nn/movq/spatial_norm.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// conv(silu(norm(x))), in bands if x is large. conv: 3x3.
at::Tensor normed_conv(const MovqNorm& norm, const Conv2d& conv, const at::Tensor& x,
                       const at::Tensor& zq, PaddingMode padding_mode);

/// Residual block without a time embedding.
class MovqResnetBlock {
 public:
  MovqResnetBlock(const tensor::Weights& weights, int64_t in_channels, int64_t out_channels,
                  const MovqNormKind& norm);

  /// x: [B, in, H, W]; zq: the latents for the decoder, undefined in the encoder.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& zq, PaddingMode padding_mode) const;

 private:
  MovqNorm norm1_;
  Conv2d conv1_;
  MovqNorm norm2_;
  Conv2d conv2_;
  std::optional<Conv2d> conv_shortcut_;
};

/// Self-attention of a map with a single head. Accepts the older names query, key, value and
/// proj_attn.
class MovqAttention {
 public:
  MovqAttention(const tensor::Weights& weights, int64_t channels, const MovqNormKind& norm);

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& zq) const;

 private:
  MovqNorm norm_;
  Linear to_q_, to_k_, to_v_, to_out_;
  AttentionKernel kernel_;
};

/// resnet, attention, resnet: the innermost part of encoder and decoder.
class MovqMidBlock {
 public:
  MovqMidBlock(const tensor::Weights& weights, int64_t channels, const MovqNormKind& norm);

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& zq, PaddingMode padding_mode) const;

 private:
  MovqResnetBlock resnet_0_;
  MovqAttention attention_;
  MovqResnetBlock resnet_1_;
};

}  // namespace kandinsky::nn
