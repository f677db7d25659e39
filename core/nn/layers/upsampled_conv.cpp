#include "nn/layers/upsampled_conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "nn/kernels/winograd.h"
#include "nn/layers/conv.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

/// A kernel's three slices along a dimension, reduced to two for positions of one parity: doubled
/// neighbours are equal, so their weights are summed.
at::Tensor two_of_three(const at::Tensor& kernel, int64_t dim, int64_t parity) {
  const auto slice = [&](int64_t i) { return kernel.narrow(dim, i, 1); };
  return parity == 0 ? at::cat({slice(0), slice(1) + slice(2)}, dim)
                     : at::cat({slice(0) + slice(1), slice(2)}, dim);
}

/// Every second position along a dimension, from `parity` on.
at::Tensor every_second(const at::Tensor& map, int64_t dim, int64_t parity) {
  return map.slice(dim, parity, map.size(dim), 2);
}

}  // namespace

at::Tensor doubled(const at::Tensor& map) {
  return at::upsample_nearest2d(map, {2 * map.size(2), 2 * map.size(3)});
}

UpsampledConv2d::UpsampledConv2d(const tensor::Weights& weights, int64_t in_channels,
                                 int64_t out_channels) {
  const tensor::Placement placement = weights.placement();
  const std::array shape{out_channels, in_channels, int64_t{3}, int64_t{3}};
  if (const auto tiling = WinogradConv2d::tiling_for(shape, true, placement)) {
    winograd_.emplace(
        weights.prepared(
            "weight", shape, WinogradConv2d::form(*tiling),
            [&] { return WinogradConv2d::prepare(weights.lend("weight", shape), *tiling); }),
        weights.take("bias", {out_channels}), *tiling);
    return;
  }
  if (!placement.speedups.split_upsampling) {
    convs_.emplace_back(weights,
                        ConvShape{.in_channels = in_channels, .out_channels = out_channels});
    return;
  }
  const at::Tensor kernel = weights.lend("weight", shape).to(at::kFloat);
  const at::Tensor bias = weights.take("bias", {out_channels});
  for (const int64_t row : {0, 1}) {
    for (const int64_t column : {0, 1}) {
      const at::Tensor part = two_of_three(two_of_three(kernel, 2, row), 3, column);
      convs_.emplace_back(part.to(placement.dtype), bias,
                          ConvShape{.in_channels = in_channels,
                                    .out_channels = out_channels,
                                    .kernel = 2,
                                    .stride = 1,
                                    .padding = 1},
                          placement);
    }
  }
}

at::Tensor UpsampledConv2d::operator()(const at::Tensor& x, PaddingMode mode) const {
  if (winograd_) {
    const bool is_circular = mode == PaddingMode::kCircular;
    const int64_t padding = is_circular ? 0 : 1;
    return (*winograd_)(is_circular ? pad_map(x, {1, 1, 1, 1}, mode) : x, {}, padding, padding);
  }
  if (convs_.size() == 1) return convs_.front()(doubled(x), mode);
  const int64_t height = x.size(2);
  const int64_t width = x.size(3);
  at::Tensor result;
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t row = i / 2;
    const int64_t column = i % 2;
    const at::Tensor places = convs_[static_cast<size_t>(i)](x, mode);
    if (!result.defined()) {
      result = at::empty({x.size(0), places.size(1), 2 * height, 2 * width},
                         places.options().memory_format(at::MemoryFormat::ChannelsLast));
    }
    // The padded map has one position more than needed at either end.
    every_second(every_second(result, 2, row), 3, column)
        .copy_(places.slice(2, row, row + height).slice(3, column, column + width));
  }
  return result;
}

}  // namespace kandinsky::nn
