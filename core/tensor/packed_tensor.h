/// Tensors in oneDNN's own order as bytes, and back.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

#include "base/span.h"

namespace kandinsky::tensor {

/// Whether LibTorch can do both. It does so to store compiled models; releases before 2.6 cannot.
bool can_store_packed_tensors();

/// The bytes of a packed tensor, as long as it lives.
Span<const std::byte> bytes_of_packed(const at::Tensor& packed);

/// oneDNN's description of their order, as uint8 [n]: valid for this release of LibTorch.
at::Tensor layout_of_packed(const at::Tensor& packed);

/// Whether two tensors of one shape are packed in the same order. False if LibTorch cannot tell.
bool have_same_order(const at::Tensor& one, const at::Tensor& other);

/// A packed tensor of bytes in the caller's memory, which must outlive it. layout: from
/// layout_of_packed.
at::Tensor packed_in_place(const std::byte* bytes, at::IntArrayRef sizes, at::ScalarType dtype,
                           Span<const std::byte> layout);

}  // namespace kandinsky::tensor
