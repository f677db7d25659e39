#include "nn/movq/spatial_norm.h"

#include <ATen/ops/upsample_nearest2d.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "nn/layers/conv.h"
#include "nn/layers/norm.h"
#include "nn/layers/row_bands.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

constexpr double kEps = 1e-6;
/// The reference ignores norm_num_groups in its spatial norms.
constexpr int64_t kSpatialGroups = 32;

bool is_spatial(const MovqNormKind& kind) { return kind.zq_channels > 0; }

}  // namespace

MovqNorm::MovqNorm(const tensor::Weights& weights, int64_t channels, const MovqNormKind& kind)
    : norm_layer_(is_spatial(kind) ? weights.scope("norm_layer") : weights, channels,
                  is_spatial(kind) ? kSpatialGroups : kind.groups, kEps),
      is_on_latent_grid_(weights.placement().speedups.latent_grid_norms) {
  if (!is_spatial(kind)) return;
  const ConvShape shape{.in_channels = kind.zq_channels,
                        .out_channels = channels,
                        .kernel = 1,
                        .stride = 1,
                        .padding = 0};
  conv_y_.emplace(weights.scope("conv_y"), shape);
  conv_b_.emplace(weights.scope("conv_b"), shape);
}

at::Tensor MovqNorm::operator()(const at::Tensor& x, const at::Tensor& zq,
                                kernels::Then then) const {
  return norm_layer_(x, cells(x, zq), then);
}

at::Tensor MovqNorm::in_place(at::Tensor x, const at::Tensor& zq, kernels::Then then) const {
  kernels::Cells of_latents = cells(x, zq);
  return norm_layer_.in_place(std::move(x), of_latents, then);
}

std::optional<NormedRows> MovqNorm::in_bands(const at::Tensor& x, const at::Tensor& zq,
                                             kernels::Then then) const {
  return norm_layer_.in_bands(x, cells(x, zq), then);
}

kernels::Cells MovqNorm::cells(const at::Tensor& x, const at::Tensor& zq) const {
  if (!conv_y_) return {};
  // A 1x1 convolution and nearest resizing commute: convolve the small map.
  const at::Tensor map =
      is_on_latent_grid_ ? zq : at::upsample_nearest2d(zq, {x.size(2), x.size(3)});
  return {.factor = (*conv_y_)(map), .addend = (*conv_b_)(map)};
}

}  // namespace kandinsky::nn
