#include "nn/movq/spatial_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/upsample_nearest2d.h>

namespace kandinsky::nn {
namespace {

constexpr double kEps = 1e-6;
/// The reference ignores norm_num_groups in its spatial norms.
constexpr int64_t kSpatialGroups = 32;

bool is_spatial(const MovqNormKind& kind) { return kind.zq_channels > 0; }

}  // namespace

MovqNorm::MovqNorm(const tensor::Weights& weights, int64_t channels, const MovqNormKind& kind)
    : norm_layer_(is_spatial(kind) ? weights.scope("norm_layer") : weights, channels,
                  is_spatial(kind) ? kSpatialGroups : kind.groups, kEps) {
  if (!is_spatial(kind)) return;
  const ConvShape shape{.in_channels = kind.zq_channels,
                        .out_channels = channels,
                        .kernel = 1,
                        .stride = 1,
                        .padding = 0};
  conv_y_.emplace(weights.scope("conv_y"), shape);
  conv_b_.emplace(weights.scope("conv_b"), shape);
}

at::Tensor MovqNorm::operator()(const at::Tensor& x, const at::Tensor& zq) const {
  const at::Tensor normed = norm_layer_(x);
  if (!conv_y_) return normed;
  // A 1x1 convolution and nearest resizing commute: convolve the small map.
  const auto resized = [&x](const at::Tensor& map) {
    return at::upsample_nearest2d(map, {x.size(2), x.size(3)});
  };
  return normed * resized((*conv_y_)(zq)) + resized((*conv_b_)(zq));
}

}  // namespace kandinsky::nn
