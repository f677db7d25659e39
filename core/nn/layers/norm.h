#pragma once

#include <ATen/core/Tensor.h>

#include "tensor/weights.h"

namespace kandinsky::nn {

/// Tensors: "weight", "bias" [features]. Statistics over the last dimension, in fp32.
class LayerNorm {
 public:
  LayerNorm(const tensor::Weights& weights, int64_t features, double eps);

  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;
  double eps_;
};

/// Tensors: "weight", "bias" [channels]. x: [B, channels, ...]. Statistics over each group of
/// channels, in fp32.
class GroupNorm {
 public:
  GroupNorm(const tensor::Weights& weights, int64_t channels, int64_t groups, double eps);

  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;
  int64_t groups_;
  double eps_;
};

}  // namespace kandinsky::nn
