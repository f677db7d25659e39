#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/kernels/winograd_kernels.h"
#include "tensor/device.h"

namespace kandinsky::nn {

/// A 3x3 convolution with less than half of the products, as matrix products of packed weights: see
/// winograd_kernels.h. Its weights take products / 9 times the kernel's memory.
class WinogradConv2d {
 public:
  /// The tiling of a convolution with a stride and a padding of 1 and weights of this shape, maybe
  /// of a doubled map: none if it cannot be tiled, LibTorch cannot pack the weights, or the CPU
  /// gains too little by it. Not chosen by timing: then the image of a seed would depend on the
  /// machine's load.
  static std::optional<kernels::Tiling> tiling_for(at::IntArrayRef weight_shape, bool is_doubled,
                                                   const tensor::Placement& placement);

  /// The part of this that depends on the shape: it is 3x3, and neither too narrow nor too wide.
  static std::optional<kernels::Tiling> tiling_of(at::IntArrayRef weight_shape, bool is_doubled,
                                                  bool small_tiles = false);

  /// The name of a tiling's prepared weights.
  static std::string form(kernels::Tiling tiling);

  /// weight: [out, in, 3, 3] -> the weights of the products, packed.
  static std::vector<at::Tensor> prepare(const at::Tensor& weight, kernels::Tiling tiling);

  /// prepared: what prepare() returns. bias: [out] or undefined.
  WinogradConv2d(std::vector<at::Tensor> prepared, const at::Tensor& bias, kernels::Tiling tiling);

  /// x: [B, in, H, W], channels-last. residual: undefined, or added, of the result's shape.
  /// Paddings: rows and columns of zeros on either side, 0 or 1.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& residual, int64_t row_padding,
                        int64_t column_padding) const;

 private:
  kernels::Tiling tiling_;
  int64_t out_channels_;
  std::vector<at::Tensor> weights_;  ///< transformed, of each product, packed
  at::Tensor bias_;                  ///< fp32
};

}  // namespace kandinsky::nn
