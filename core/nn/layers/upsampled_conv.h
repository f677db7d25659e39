#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "nn/kernels/winograd.h"
#include "nn/layers/conv.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// [B, C, H, W] -> [B, C, 2H, 2W], each position four times.
at::Tensor doubled(const at::Tensor& map);

/// A 3x3 convolution of the doubled map. Only four of its nine inputs differ, so
/// for each of the four kinds of output positions a 2x2 convolution of the small map is equal,
/// with 4/9 of the products; or Winograd's method with 1/4. Tensors: "weight" [out, in,
/// 3, 3], "bias" [out].
class UpsampledConv2d {
 public:
  UpsampledConv2d(const tensor::Weights& weights, int64_t in_channels, int64_t out_channels);

  /// x: [B, in, H, W]. Returns [B, out, 2H, 2W].
  at::Tensor operator()(const at::Tensor& x, PaddingMode mode) const;

 private:
  std::vector<Conv2d> convs_;  ///< one of the doubled map, or four of the map itself, by row and
                               ///< column of the output position
  std::optional<WinogradConv2d> winograd_;  ///< instead of them
};

}  // namespace kandinsky::nn
