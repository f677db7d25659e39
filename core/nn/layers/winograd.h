#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "nn/layers/winograd_kernels.h"
#include "tensor/device.h"

namespace kandinsky::nn {

/// A 3x3 convolution with less than half of the products, as matrix products of packed weights: see
/// winograd_kernels.h. Its weights take 16/9 of the kernel's memory, or as much as the kernel does
/// for a doubled map.
class WinogradConv2d {
 public:
  /// Whether a convolution with a stride and a padding of 1 and weights of this shape is to be
  /// computed so: it can be, LibTorch can pack the weights, and the CPU has no faster way. Timing
  /// both ways would make what a seed gives depend on what else the machine does.
  static bool is_for(at::IntArrayRef weight_shape, kernels::TileInput input,
                     const tensor::Placement& placement);

  /// Of the above, what the shape tells: it is 3x3, and neither too narrow nor too wide.
  static bool can_be_for(at::IntArrayRef weight_shape, kernels::TileInput input);

  /// weight: [out, in, 3, 3]. bias: [out] or undefined.
  WinogradConv2d(const at::Tensor& weight, const at::Tensor& bias, kernels::TileInput input);

  /// x: [B, in, H, W], channels-last. residual: undefined, or what is added, of the result's shape.
  /// Paddings: rows and columns of zeros on either side, 0 or 1.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& residual, int64_t row_padding,
                        int64_t column_padding) const;

 private:
  kernels::TileInput input_;
  int64_t out_channels_;
  std::vector<at::Tensor> weights_;  ///< of each product, packed
  at::Tensor bias_;                  ///< fp32
};

}  // namespace kandinsky::nn
