#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "nn/layers/conv.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// Encodes a hint image, such as a depth map, as extra channels of the latents.
class HintNetwork {
 public:
  static constexpr int64_t kChannels = 4;  ///< of the output
  static constexpr int64_t kFactor = 8;    ///< pixels per position in each direction

  explicit HintNetwork(const tensor::Weights& weights);

  /// pixels: [B, 3, H, W] in [0, 1]. Returns [B, kChannels, H / 8, W / 8]. Source: diffusers,
  /// ImageHintTimeEmbedding.
  at::Tensor operator()(const at::Tensor& pixels, PaddingMode padding_mode) const;

 private:
  std::vector<Conv2d> convs_;
};

}  // namespace kandinsky::nn
