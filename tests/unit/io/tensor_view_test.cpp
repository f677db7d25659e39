#include "io/tensor_view.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace kandinsky::io {
namespace {

std::optional<std::int64_t> size_of(DType dtype, const std::vector<std::int64_t>& shape) {
  return tensor_byte_size(dtype, shape);
}

TEST(TensorView, NamesAndSizesAgreeForEveryType) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
    EXPECT_GE(dtype_size(dtype), 1U);
  }
  EXPECT_EQ(dtype_size(DType::kBF16), 2U);
  EXPECT_EQ(dtype_size(DType::kF64), 8U);
  EXPECT_EQ(parse_dtype("F8_E4M3"), std::nullopt);
  EXPECT_EQ(parse_dtype("f32"), std::nullopt);
}

TEST(TensorView, ByteSizes) {
  EXPECT_EQ(size_of(DType::kF32, {}), 4);
  EXPECT_EQ(size_of(DType::kF16, {3, 5}), 30);
  EXPECT_EQ(size_of(DType::kI64, {0}), 0);
  EXPECT_EQ(size_of(DType::kI64, {7, 0, 9}), 0);
}

TEST(TensorView, OverflowAndNegativeDimensionsHaveNoSize) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(size_of(DType::kU8, {kMax}), kMax);
  EXPECT_EQ(size_of(DType::kI16, {kMax}), std::nullopt);
  EXPECT_EQ(size_of(DType::kU8, {kMax, 2}), std::nullopt);
  // 2^32 * 2^32 wraps around to 0 when nobody looks.
  EXPECT_EQ(size_of(DType::kU8, {std::int64_t{1} << 32, std::int64_t{1} << 32}), std::nullopt);
  EXPECT_EQ(size_of(DType::kU8, {0, kMax, kMax}), std::nullopt);
  EXPECT_EQ(size_of(DType::kU8, {-1}), std::nullopt);
  EXPECT_EQ(size_of(DType::kU8, {0, -1}), std::nullopt);
}

}  // namespace
}  // namespace kandinsky::io
