#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <variant>
#include <vector>

#include "nn/kernels/onednn.h"
#include "nn/kernels/winograd.h"
#include "nn/layers/linear.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

struct ConvShape {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 1;  ///< on all four sides
};

/// Padding at a map's borders. A network run with kCircular makes tileable images.
enum class PaddingMode : int {
  kZeros,     ///< zeros, as in training
  kCircular,  ///< wraps around
};

/// Rows and columns to add around a map.
struct Padding {
  int64_t left = 0;
  int64_t right = 0;
  int64_t top = 0;
  int64_t bottom = 0;
};

/// x: [B, C, H, W]. The result is channels-last.
at::Tensor pad_map(const at::Tensor& x, const Padding& padding, PaddingMode mode);

/// 2D convolution. Tensors: "weight" [out, in, kernel, kernel], "bias" [out]. Weights are kept
/// channels-last, the fastest layout for convolutions on every device here, or packed
/// if LibTorch supports it; maps keep that layout from the first convolution on.
class Conv2d {
 public:
  Conv2d(const tensor::Weights& weights, const ConvShape& shape, Bias bias = Bias::kYes);

  /// From tensors of that shape, bias undefined for none.
  Conv2d(const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape,
         const tensor::Placement& placement);

  /// x: [B, in, H, W]
  at::Tensor operator()(const at::Tensor& x, PaddingMode mode = PaddingMode::kZeros) const;

  /// residual + convolution of x, both of one shape.
  at::Tensor add_to(const at::Tensor& residual, const at::Tensor& x,
                    PaddingMode mode = PaddingMode::kZeros) const;

  /// For a band of rows of a larger map, with the rows above and below for the kernel: x: [B, in, H
  /// + 2
  /// * padding, W]. residual is added: [B, out, H, W] or undefined.
  at::Tensor of_rows(const at::Tensor& x, const at::Tensor& residual, PaddingMode mode) const;

  int64_t out_channels() const { return out_channels_; }

 private:
  /// row_padding: padding above and below.
  at::Tensor convolve(const at::Tensor& x, const at::Tensor& residual, PaddingMode mode,
                      int64_t row_padding) const;

  struct Plain {  ///< by LibTorch's own operator
    at::Tensor weight;
  };
  struct Pointwise {  ///< 1x1: a packed linear layer
    at::Tensor weight;
  };
  using Kernel = std::variant<Plain, Pointwise, onednn::PackedKernel, WinogradConv2d>;

  using Prepare = std::function<std::vector<at::Tensor>(const at::Tensor& weight)>;
  /// The result of `prepare` for the layer's weight, maybe of an earlier process.
  using Prepared =
      std::function<std::vector<at::Tensor>(std::string_view form, const Prepare& prepare)>;
  static Kernel choose_kernel(const Prepared& prepared, const at::Tensor& bias,
                              const ConvShape& shape, const tensor::Placement& placement);
  Conv2d(const Prepared& prepared, const at::Tensor& bias, const ConvShape& shape,
         const tensor::Placement& placement);

  at::Tensor bias_;
  int64_t out_channels_;
  int64_t stride_;
  int64_t padding_;
  bool is_fused_;  ///< the kernel adds the residual
  Kernel kernel_;
};

}  // namespace kandinsky::nn
