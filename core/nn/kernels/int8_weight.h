#pragma once

#include <ATen/core/Tensor.h>

#include "tensor/weights.h"

namespace kandinsky::nn {

/// A matrix in int8, with one scale for each row: half the memory of bf16, a quarter of fp32. An
/// approximation: each element is off by at most 1/254 of the largest of its row.
class Int8Weight {
 public:
  /// weight: [out, in]
  explicit Int8Weight(const at::Tensor& weight);

  /// The tensor "weight" of that shape, or what was kept of it.
  Int8Weight(const tensor::Weights& weights, at::IntArrayRef shape);

  /// x W^T + bias over the last dimension, in x's type. bias: [out] or undefined.
  at::Tensor linear(const at::Tensor& x, const at::Tensor& bias) const;

 private:
  at::Tensor rows_;    ///< int8 [out, in]
  at::Tensor scales_;  ///< fp32 [out]
};

}  // namespace kandinsky::nn
