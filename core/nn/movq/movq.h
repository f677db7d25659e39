#pragma once

#include "nn/layers/conv.h"
#include "nn/movq/movq_config.h"
#include "nn/movq/movq_decoder.h"
#include "nn/movq/movq_encoder.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// The image autoencoder MoVQ, without its codebook: images and latents are mapped directly.
class Movq {
 public:
  /// Throws Error(kCorruptFile) for weights that do not fit the config.
  Movq(const MovqConfig& config, const tensor::Weights& weights);

  /// pixels: [B, 3, H, W] in [-1, 1], H and W multiples of the factor. Returns latents [B,
  /// latent_channels, H/factor, W/factor] in the placement's type. They are not scaled. Source:
  /// diffusers, VQModel.encode.
  at::Tensor encode(const at::Tensor& pixels, PaddingMode padding_mode = PaddingMode::kZeros) const;

  /// The reverse: [B, 3, H, W] in about [-1, 1]. Source: diffusers, VQModel.decode with
  /// force_not_quantize.
  at::Tensor decode(const at::Tensor& latents,
                    PaddingMode padding_mode = PaddingMode::kZeros) const;

  const MovqConfig& config() const { return config_; }

 private:
  MovqConfig config_;
  tensor::Placement placement_;
  MovqEncoder encoder_;
  Conv2d quant_conv_;
  Conv2d post_quant_conv_;
  MovqDecoder decoder_;
};

}  // namespace kandinsky::nn
