#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace kandinsky::tensor {

/// Fills a contiguous piece of a tensor, in the type that it is asked for in, with the elements
/// from `begin` on. Called by several threads at once.
using ReadNumbers = std::function<void(int64_t begin, const at::Tensor& piece)>;

enum class FiniteCheck : int { kSkip, kCheck };

/// Fills a contiguous floating-point CPU tensor with the elements of type `stored` that `read`
/// gives. Returns whether all that arrived are finite; true if that is skipped. It goes piece by
/// piece, so that what is read is converted while it is in the caches, and is never in memory as a
/// whole. LibTorch converts between the two halves one element at a time; here they go through
/// fp32, which gives the same values in a quarter of the time.
bool read_converted(const ReadNumbers& read, at::ScalarType stored, const at::Tensor& to,
                    FiniteCheck check);

/// Whether all elements of a floating-point tensor are finite.
bool is_finite(const at::Tensor& x);

}  // namespace kandinsky::tensor
