#include "nn/layers/norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "nn/kernels/norm_kernels.h"
#include "nn/layers/row_bands.h"
#include "tensor/arena.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

using kernels::Cells;
using kernels::Then;

namespace {

/// Smaller maps fit into the caches.
constexpr int64_t kLargeMapBytes = int64_t{16} << 20U;

/// LibTorch's channels-last CPU kernel computes the variance as E[x^2] - E[x]^2, which cancels on
/// even surfaces such as a plain background. In fp32 this is visible.
bool is_ill_conditioned(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 4 && !x.is_contiguous() &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

/// x less each group's mean: the norm of the result is the norm of x.
at::Tensor centred(const at::Tensor& x, int64_t groups) {
  const int64_t channels = x.size(1);
  const at::Tensor mean = x.mean({2, 3}).view({x.size(0), groups, channels / groups}).mean(2, true);
  return x - mean.expand({-1, -1, channels / groups}).reshape({x.size(0), channels, 1, 1});
}

}  // namespace

LayerNorm::LayerNorm(const tensor::Weights& weights, int64_t features, double eps)
    : weight_(weights.take("weight", {features})),
      bias_(weights.take("bias", {features})),
      eps_(eps) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  const at::ScalarType type = x.scalar_type();
  return at::layer_norm(x, {weight_.size(0)}, weight_.to(type), bias_.to(type), eps_)
      .to(weight_.scalar_type());
}

GroupNorm::GroupNorm(const tensor::Weights& weights, int64_t channels, int64_t groups, double eps)
    : weight_(weights.take("weight", {channels})),
      bias_(weights.take("bias", {channels})),
      groups_(groups),
      eps_(eps),
      is_fused_(weights.placement().speedups.fused_norms),
      has_bands_(weights.placement().speedups.row_bands) {
  if (groups < 1 || channels % groups != 0) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: config.json: {} channels do not divide into {} norm groups",
                            weights.folder(), channels, groups));
  }
}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const {
  return (*this)(x, {}, Then::kNothing);
}

at::Tensor GroupNorm::operator()(const at::Tensor& x, const Cells& cells, Then then) const {
  if (!is_fused_for(x, cells)) return plain(x, cells, then);
  at::Tensor result = tensor::recycled(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast);
  kernels::apply(x, kernels::group_norm(x, groups_, eps_, weight_, bias_), cells, then, result);
  return result;
}

at::Tensor GroupNorm::in_place(at::Tensor x, const Cells& cells, Then then) const {
  if (!is_fused_for(x, cells)) return plain(x, cells, then);
  kernels::apply(x, kernels::group_norm(x, groups_, eps_, weight_, bias_), cells, then, x);
  return x;
}

std::optional<NormedRows> GroupNorm::in_bands(const at::Tensor& x, const Cells& cells,
                                              Then then) const {
  const bool is_large = x.size(0) == 1 && static_cast<int64_t>(x.nbytes()) >= kLargeMapBytes;
  if (!has_bands_ || !is_large || !is_fused_for(x, cells)) return std::nullopt;
  return NormedRows(x, kernels::group_norm(x, groups_, eps_, weight_, bias_), cells, then);
}

bool GroupNorm::is_fused_for(const at::Tensor& x, const Cells& cells) const {
  return is_fused_ && kernels::is_for(x) &&
         (!cells.factor.defined() || kernels::is_for(cells.factor));
}

at::Tensor GroupNorm::plain(const at::Tensor& x, const Cells& cells, Then then) const {
  at::Tensor y = at::group_norm(is_ill_conditioned(x) ? centred(x, groups_) : x, groups_, weight_,
                                bias_, eps_);
  if (cells.factor.defined()) {
    const auto resized = [&x](const at::Tensor& map) {
      const bool is_one = map.size(2) == 1 && map.size(3) == 1;
      return is_one ? map : at::upsample_nearest2d(map, {x.size(2), x.size(3)});
    };
    y = y * resized(cells.factor) + resized(cells.addend);
  }
  return then == Then::kSilu ? at::silu(y) : y;
}

}  // namespace kandinsky::nn
