#pragma once

#include <optional>
#include <vector>

#include "nn/layers/conv.h"
#include "nn/layers/upsampled_conv.h"
#include "nn/movq/movq_blocks.h"
#include "nn/movq/movq_config.h"
#include "nn/movq/spatial_norm.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// Latents -> pixels.
class MovqDecoder {
 public:
  MovqDecoder(const MovqConfig& config, const tensor::Weights& weights);

  /// z: [B, latent_channels, h, w] after post_quant_conv; zq: the latents before it, of the same
  /// size. Returns [B, 3, h*factor, w*factor]. Source: diffusers, autoencoders.vae.Decoder.forward.
  at::Tensor operator()(const at::Tensor& z, const at::Tensor& zq, PaddingMode padding_mode) const;

 private:
  struct Level {
    std::vector<MovqResnetBlock> resnets;
    std::vector<MovqAttention> attentions;  ///< empty, or one for each resnet
    std::optional<UpsampledConv2d> upsampler;
  };
  Conv2d conv_in_;
  MovqMidBlock mid_block_;
  std::vector<Level> up_blocks_;
  MovqNorm conv_norm_out_;
  Conv2d conv_out_;
};

}  // namespace kandinsky::nn
