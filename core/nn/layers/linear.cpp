#include "nn/layers/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>

#include <array>
#include <cstdint>
#include <vector>

#include "nn/kernels/onednn.h"
#include "nn/kernels/row_products.h"
#include "nn/layers/activation.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
Linear::Linear(const tensor::Weights& weights, int64_t in_features, int64_t out_features, Bias bias)
    : bias_(bias == Bias::kYes ? weights.take("bias", {out_features}) : at::Tensor()),
      is_stored_(kernels::keeps_stored_matrices(weights.placement())),
      is_packed_(!is_stored_ && !weights.placement().int8_weights &&
                 onednn::can_pack(weights.placement())),
      is_fused_(is_packed_ && weights.placement().speedups.fused_operations) {
  const std::array<int64_t, 2> shape{out_features, in_features};
  if (weights.placement().int8_weights) {
    int8_weight_.emplace(weights, shape);
  } else if (is_stored_) {
    weight_ = weights
                  .prepared("weight", shape, "stored",
                            [&] { return std::vector{weights.take_stored("weight", shape)}; })
                  .front();
  } else if (is_packed_) {
    weight_ =
        weights
            .prepared(
                "weight", shape, "packed",
                [&] { return std::vector{onednn::pack_linear(weights.lend("weight", shape))}; })
            .front();
  } else {
    weight_ = weights.take("weight", shape);
  }
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  if (int8_weight_) return int8_weight_->linear(x, bias_);
  if (is_stored_) return kernels::row_products(x, weight_, bias_);
  return is_packed_ ? onednn::linear(x, weight_, bias_) : at::linear(x, weight_, bias_);
}

at::Tensor Linear::activated(const at::Tensor& x, Activation activation) const {
  if (is_fused_ && activation == Activation::kGelu)
    return onednn::linear(x, weight_, bias_, {.activation = "gelu"});
  return activate((*this)(x), activation);
}

at::Tensor Linear::add_to(const at::Tensor& residual, const at::Tensor& x) const {
  return is_fused_ && residual.scalar_type() == x.scalar_type()
             ? onednn::linear(x, weight_, bias_, {.addend = residual})
             : residual + (*this)(x);
}

}  // namespace kandinsky::nn
