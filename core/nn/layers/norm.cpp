#include "nn/layers/norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <fmt/format.h>

#include "base/error.h"

namespace kandinsky::nn {

using kernels::Then;

namespace {

/// LibTorch's channels-last kernel for CPUs takes the variance as E[x^2] - E[x]^2, which cancels on
/// even surfaces such as a plain background. In fp32, where results are to be exact, that shows.
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
  return at::layer_norm(x, {weight_.size(0)}, weight_, bias_, eps_);
}

GroupNorm::GroupNorm(const tensor::Weights& weights, int64_t channels, int64_t groups, double eps)
    : weight_(weights.take("weight", {channels})),
      bias_(weights.take("bias", {channels})),
      groups_(groups),
      eps_(eps),
      is_fused_(weights.placement().speedups.fused_norms) {
  if (groups < 1 || channels % groups != 0) {
    throw Error(
        ErrorCode::kCorruptFile,
        fmt::format("config: {} channels do not divide into {} norm groups", channels, groups));
  }
}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const {
  return (*this)(x, std::nullopt, Then::kNothing);
}

at::Tensor GroupNorm::operator()(const at::Tensor& x, const std::optional<Modulation>& modulation,
                                 Then then) const {
  if (is_fused_ && kernels::is_for(x)) return fused(x, modulation, then);
  at::Tensor y = at::group_norm(is_ill_conditioned(x) ? centred(x, groups_) : x, groups_, weight_,
                                bias_, eps_);
  if (modulation) {
    const auto resized = [&x](const at::Tensor& map) {
      const bool is_cell = map.size(2) == 1 && map.size(3) == 1;
      return is_cell ? map : at::upsample_nearest2d(map, {x.size(2), x.size(3)});
    };
    y = y * resized(modulation->scale) + resized(modulation->shift);
  }
  return then == Then::kSilu ? at::silu(y) : y;
}

at::Tensor GroupNorm::fused(const at::Tensor& x, const std::optional<Modulation>& modulation,
                            Then then) const {
  const int64_t batch_size = x.size(0);
  const int64_t channels = x.size(1);
  const auto [mean, rstd] = kernels::group_statistics(x, groups_, eps_);
  const auto by_channel = [&](const at::Tensor& by_group) {
    return by_group.unsqueeze(2)
        .expand({batch_size, groups_, channels / groups_})
        .reshape({batch_size, 1, 1, channels});
  };
  at::Tensor scale = by_channel(rstd) * weight_.to(at::kFloat);
  at::Tensor shift = bias_.to(at::kFloat) - by_channel(mean) * scale;
  if (modulation) {
    const auto cells_last = [](const at::Tensor& map) {
      return map.permute({0, 2, 3, 1}).to(at::kFloat);
    };
    const at::Tensor factor = cells_last(modulation->scale);
    scale = scale * factor;
    shift = shift * factor + cells_last(modulation->shift);
  }
  return kernels::scale_and_shift(x, scale.contiguous(), shift.contiguous(), then);
}

}  // namespace kandinsky::nn
