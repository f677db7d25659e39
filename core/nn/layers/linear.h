#pragma once

#include <ATen/core/Tensor.h>

#include "tensor/weights.h"

namespace kandinsky::nn {

enum class Bias { kNo, kYes };

/// y = x W^T + b over the last dimension. Tensors: "weight" [out, in], "bias" [out].
class Linear {
 public:
  Linear(const tensor::Weights& weights, int64_t in_features, int64_t out_features,
         Bias bias = Bias::kYes);

  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;
};

}  // namespace kandinsky::nn
