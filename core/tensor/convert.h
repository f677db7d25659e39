#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace kandinsky::tensor {

/// Fills a contiguous part of a tensor, in the requested type, with the elements
/// from `begin` on. Called by several threads at once.
using ReadNumbers = std::function<void(int64_t begin, const at::Tensor& piece)>;

enum class FiniteCheck : int { kSkip, kCheck };

/// Fills a contiguous floating-point CPU tensor with the elements of type `stored` from `read`.
/// Returns whether all of them are finite; true if the check is skipped. Works in
/// blocks, so that elements are converted while they are in the caches, and are never in memory as
/// a whole. LibTorch converts between fp16 and bf16 one element at a time; here they go through
/// fp32, with the same values in a quarter of the time.
bool read_converted(const ReadNumbers& read, at::ScalarType stored, const at::Tensor& to,
                    FiniteCheck check);

/// Whether all elements of a floating-point tensor are finite.
bool is_finite(const at::Tensor& x);

}  // namespace kandinsky::tensor
