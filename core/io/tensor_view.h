#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// Supported element types, named as in the safetensors format.
enum class DType : int { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

/// Bytes of one element.
std::size_t dtype_size(DType dtype) noexcept;

/// The safetensors name: "F32", "BF16", "BOOL", ...
std::string_view dtype_name(DType dtype) noexcept;

/// The type of that name, or empty for an unknown one.
std::optional<DType> parse_dtype(std::string_view name) noexcept;

/// A named, shaped, borrowed block of memory. Row-major, little-endian, dense.
/// bytes may start at any address: files do not guarantee an alignment.
struct TensorView {
  std::string_view name;
  DType dtype = DType::kF32;
  Span<const std::int64_t> shape;  ///< Each >= 0; an empty shape is a scalar.
  Span<const std::byte> bytes;     ///< Exactly product(shape) * dtype_size(dtype).
};

/// product(shape) * dtype_size(dtype), or nothing when a dimension is negative or the product does
/// not fit into int64.
std::optional<std::int64_t> tensor_byte_size(DType dtype, Span<const std::int64_t> shape) noexcept;

}  // namespace kandinsky::io
