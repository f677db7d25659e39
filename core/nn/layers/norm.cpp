#include "nn/layers/norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <fmt/format.h>

#include "base/error.h"

namespace kandinsky::nn {
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
      eps_(eps) {
  if (groups < 1 || channels % groups != 0) {
    throw Error(
        ErrorCode::kCorruptFile,
        fmt::format("config: {} channels do not divide into {} norm groups", channels, groups));
  }
}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const {
  return at::group_norm(is_ill_conditioned(x) ? centred(x, groups_) : x, groups_, weight_, bias_,
                        eps_);
}

}  // namespace kandinsky::nn
