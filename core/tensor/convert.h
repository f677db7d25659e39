#pragma once

#include <ATen/core/Tensor.h>

namespace kandinsky::tensor {

/// Copies the numbers of one floating-point CPU tensor into another of the same shape, both
/// contiguous. Returns whether all that arrived are finite. LibTorch converts between the two
/// halves one number at a time; here pieces that stay in the caches go through fp32, which gives
/// the same numbers in a quarter of the time.
bool convert(const at::Tensor& from, const at::Tensor& to);

/// Whether all numbers of a floating-point tensor are finite.
bool is_finite(const at::Tensor& x);

}  // namespace kandinsky::tensor
