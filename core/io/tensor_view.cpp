#include "io/tensor_view.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  std::size_t size;
};

constexpr std::array kDTypes = {
    DTypeRow{DType::kF64, "F64", 8}, DTypeRow{DType::kF32, "F32", 4},
    DTypeRow{DType::kF16, "F16", 2}, DTypeRow{DType::kBF16, "BF16", 2},
    DTypeRow{DType::kI64, "I64", 8}, DTypeRow{DType::kI32, "I32", 4},
    DTypeRow{DType::kI16, "I16", 2}, DTypeRow{DType::kI8, "I8", 1},
    DTypeRow{DType::kU8, "U8", 1},   DTypeRow{DType::kBool, "BOOL", 1},
};

}  // namespace

std::size_t dtype_size(DType dtype) noexcept {
  for (const DTypeRow& row : kDTypes) {
    if (row.dtype == dtype) return row.size;
  }
  return 0;
}

std::string_view dtype_name(DType dtype) noexcept {
  for (const DTypeRow& row : kDTypes) {
    if (row.dtype == dtype) return row.name;
  }
  return "?";
}

std::optional<DType> parse_dtype(std::string_view name) noexcept {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::optional<std::int64_t> tensor_byte_size(DType dtype, Span<const std::int64_t> shape) noexcept {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  const auto element_size = static_cast<std::int64_t>(dtype_size(dtype));
  bool empty = false;
  std::int64_t size = element_size;
  // The other dimensions are multiplied even when one is 0: strides are computed from the product.
  for (const std::int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) {
      empty = true;
    } else {
      if (dim > kMax / size) return std::nullopt;
      size *= dim;
    }
  }
  return empty ? 0 : size;
}

}  // namespace kandinsky::io
