#include "nn/layers/conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/pad.h>
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "nn/kernels/onednn.h"
#include "nn/kernels/winograd.h"
#include "nn/kernels/winograd_kernels.h"
#include "nn/layers/linear.h"
#include "nn/layers/map_tokens.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

at::Tensor pad_map(const at::Tensor& x, const Padding& padding, PaddingMode mode) {
  return at::pad(x, {padding.left, padding.right, padding.top, padding.bottom},
                 mode == PaddingMode::kCircular ? "circular" : "constant")
      .contiguous(at::MemoryFormat::ChannelsLast);
}

namespace {

bool is_pointwise(const ConvShape& shape) {
  return shape.kernel == 1 && shape.stride == 1 && shape.padding == 0;
}

std::array<int64_t, 4> weight_shape(const ConvShape& shape) {
  return {shape.out_channels, shape.in_channels, shape.kernel, shape.kernel};
}

std::optional<kernels::Tiling> tiling_for(const ConvShape& shape,
                                          const tensor::Placement& placement) {
  if (shape.stride != 1 || shape.padding != 1) return {};
  return WinogradConv2d::tiling_for(weight_shape(shape), false, placement);
}

/// In scratch memory if the constructor below packs it.
at::Tensor weight_of(const tensor::Weights& weights, const ConvShape& shape) {
  const tensor::Placement placement = weights.placement();
  const std::array sizes = weight_shape(shape);
  const bool is_laid_out_anew =
      onednn::can_pack(placement) && (is_pointwise(shape) || tiling_for(shape, placement) ||
                                      onednn::PackedKernel::packs_at_once(placement.dtype));
  return is_laid_out_anew ? weights.lend("weight", sizes) : weights.take("weight", sizes);
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace

Conv2d::Conv2d(const tensor::Weights& weights, const ConvShape& shape, Bias bias)
    : Conv2d(
          [&](std::string_view form, const Prepare& prepare) {
            return weights.prepared("weight", weight_shape(shape), form,
                                    [&] { return prepare(weight_of(weights, shape)); });
          },
          bias == Bias::kYes ? weights.take("bias", {shape.out_channels}) : at::Tensor(), shape,
          weights.placement()) {}

Conv2d::Conv2d(const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape,
               const tensor::Placement& placement)
    : Conv2d([&](std::string_view /*form*/, const Prepare& prepare) { return prepare(weight); },
             bias, shape, placement) {}

Conv2d::Conv2d(const Prepared& prepared, const at::Tensor& bias, const ConvShape& shape,
               const tensor::Placement& placement)
    : bias_(bias),
      out_channels_(shape.out_channels),
      stride_(shape.stride),
      padding_(shape.padding),
      is_fused_(onednn::can_pack(placement) && placement.speedups.fused_operations),
      kernel_(choose_kernel(prepared, bias, shape, placement)) {}

Conv2d::Kernel Conv2d::choose_kernel(const Prepared& prepared, const at::Tensor& bias,
                                     const ConvShape& shape, const tensor::Placement& placement) {
  if (const auto tiling = tiling_for(shape, placement)) {
    return WinogradConv2d(prepared(WinogradConv2d::form(*tiling),
                                   [&](const at::Tensor& weight) {
                                     return WinogradConv2d::prepare(weight, *tiling);
                                   }),
                          bias, *tiling);
  }
  const auto one = [&](std::string_view form, const auto& prepare) {
    return prepared(form, [&](const at::Tensor& weight) { return std::vector{prepare(weight)}; })
        .front();
  };
  if (!onednn::can_pack(placement)) {
    return Plain{one("channels-last", [](const at::Tensor& weight) {
      return weight.contiguous(at::MemoryFormat::ChannelsLast);
    })};
  }
  if (is_pointwise(shape)) {
    return Pointwise{one(
        "packed", [](const at::Tensor& weight) { return onednn::pack_linear(weight.flatten(1)); })};
  }
  const onednn::ConvGeometry geometry{shape.stride, shape.padding, shape.padding};
  return onednn::PackedKernel(
      one(fmt::format("convolution of stride {}, padding {}", shape.stride, shape.padding),
          [&](const at::Tensor& weight) {
            return onednn::PackedKernel::prepare(weight, geometry);
          }),
      geometry);
}

at::Tensor Conv2d::operator()(const at::Tensor& x, PaddingMode mode) const {
  return convolve(x, {}, mode, padding_);
}

at::Tensor Conv2d::add_to(const at::Tensor& residual, const at::Tensor& x, PaddingMode mode) const {
  return is_fused_ ? convolve(x, residual, mode, padding_)
                   : residual + convolve(x, {}, mode, padding_);
}

at::Tensor Conv2d::of_rows(const at::Tensor& x, const at::Tensor& residual,
                           PaddingMode mode) const {
  if (is_fused_) return convolve(x, residual, mode, 0);
  const at::Tensor result = convolve(x, {}, mode, 0);
  return residual.defined() ? residual + result : result;
}

at::Tensor Conv2d::convolve(const at::Tensor& x, const at::Tensor& residual, PaddingMode mode,
                            int64_t row_padding) const {
  const bool is_padded_before = mode == PaddingMode::kCircular && padding_ > 0;
  const at::Tensor map =
      is_padded_before ? pad_map(x, {padding_, padding_, row_padding, row_padding}, mode) : x;
  const int64_t rows = is_padded_before ? 0 : row_padding;
  const int64_t columns = is_padded_before ? 0 : padding_;
  const auto run = Overloaded{
      [&](const Plain& kernel) {
        return at::conv2d(map, kernel.weight, bias_, {stride_, stride_}, {rows, columns});
      },
      [&](const Pointwise& kernel) {
        const at::Tensor addend = residual.defined() ? map_to_tokens(residual) : residual;
        return tokens_to_map(
            onednn::linear(map_to_tokens(map), kernel.weight, bias_, {.addend = addend}),
            map.size(2), map.size(3));
      },
      [&](const onednn::PackedKernel& kernel) {
        return onednn::convolution(map, kernel.for_maps(map), bias_, {stride_, rows, columns},
                                   {.addend = residual});
      },
      [&](const WinogradConv2d& kernel) { return kernel(map, residual, rows, columns); },
  };
  return std::visit(run, kernel_);
}

}  // namespace kandinsky::nn
