#include "nn/layers/linear.h"

#include <ATen/ops/linear.h>

namespace kandinsky::nn {

Linear::Linear(const tensor::Weights& weights, int64_t in_features, int64_t out_features, Bias bias)
    : weight_(weights.take("weight", {out_features, in_features})),
      bias_(bias == Bias::kYes ? weights.take("bias", {out_features}) : at::Tensor()) {}

at::Tensor Linear::operator()(const at::Tensor& x) const { return at::linear(x, weight_, bias_); }

}  // namespace kandinsky::nn
