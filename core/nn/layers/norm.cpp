#include "nn/layers/norm.h"

#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <fmt/format.h>

#include "base/error.h"

namespace kandinsky::nn {

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
  return at::group_norm(x, groups_, weight_, bias_, eps_);
}

}  // namespace kandinsky::nn
