#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "nn/kernels/int8_weight.h"
#include "nn/layers/activation.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

enum class Bias { kNo, kYes };

/// y = x W^T + b over the last dimension. Tensors: "weight" [out, in], "bias" [out]. On CPUs the
/// weight is packed if LibTorch supports it; in int8 if the placement says so, and in the file's
/// type for few rows.
class Linear {
 public:
  Linear(const tensor::Weights& weights, int64_t in_features, int64_t out_features,
         Bias bias = Bias::kYes);

  at::Tensor operator()(const at::Tensor& x) const;

  /// activation(y)
  at::Tensor activated(const at::Tensor& x, Activation activation) const;

  /// residual + y, both of one shape.
  at::Tensor add_to(const at::Tensor& residual, const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  std::optional<Int8Weight> int8_weight_;  ///< instead of weight_
  at::Tensor bias_;
  bool is_stored_;  ///< weight_ is in the file's type
  bool is_packed_;
  bool is_fused_;
};

}  // namespace kandinsky::nn
