#pragma once

#include <optional>
#include <vector>

#include "nn/layers/conv.h"
#include "nn/movq/movq_blocks.h"
#include "nn/movq/movq_config.h"
#include "nn/movq/spatial_norm.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// Pixels -> the map that quant_conv turns into latents.
class MovqEncoder {
 public:
  MovqEncoder(const MovqConfig& config, const tensor::Weights& weights);

  /// pixels: [B, 3, H, W], H and W multiples of the factor. Returns [B, latent_channels, H/factor,
  /// W/factor]. Source: diffusers, autoencoders.vae.Encoder.forward.
  at::Tensor operator()(const at::Tensor& pixels, PaddingMode padding_mode) const;

 private:
  struct Level {
    std::vector<MovqResnetBlock> resnets;
    std::vector<MovqAttention> attentions;  ///< empty, or one for each resnet
    std::optional<Conv2d> downsampler;
  };
  Conv2d conv_in_;
  std::vector<Level> down_blocks_;
  MovqMidBlock mid_block_;
  MovqNorm conv_norm_out_;
  Conv2d conv_out_;
};

}  // namespace kandinsky::nn
