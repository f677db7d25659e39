#include "nn/kernels/norm_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "tensor/device.h"
#include "tensor/noise.h"

namespace kandinsky::nn::kernels {
namespace {

at::Tensor random_map(uint64_t seed, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
  return tensor::NoiseSource({seed}).draw(0, shape).to(dtype).contiguous(
      at::MemoryFormat::ChannelsLast);
}

/// The same by the formulas, in fp64.
at::Tensor expected(const at::Tensor& map, int64_t groups, const at::Tensor& weight,
                    const at::Tensor& bias, const Cells& cells, Then then) {
  const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble).contiguous(); };
  at::Tensor y = at::group_norm(wide(map), groups, wide(weight), wide(bias), 1e-5);
  if (cells.factor.defined()) {
    const auto resized = [&](const at::Tensor& cell) {
      return at::upsample_nearest2d(wide(cell), {map.size(2), map.size(3)});
    };
    y = y * resized(cells.factor) + resized(cells.addend);
  }
  return then == Then::kSilu ? at::silu(y) : y;
}

at::Tensor run(const at::Tensor& map, int64_t groups, const at::Tensor& weight,
               const at::Tensor& bias, const Cells& cells, Then then) {
  at::Tensor result = at::empty_like(map);
  apply(map, group_norm(map, groups, 1e-5, weight, bias), cells, then, result);
  return result;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// Type, channels, groups, height, width, cells' height and width (0: none).
using Shape = std::tuple<at::ScalarType, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t>;

class NormKernelsTest : public testing::TestWithParam<Shape> {
 protected:
  const tensor::JobGuard guard_;
};

TEST_P(NormKernelsTest, AreTheFormulas) {
  const auto [dtype, channels, groups, height, width, cell_height, cell_width] = GetParam();
  const at::Tensor map = random_map(1, {2, channels, height, width}, dtype) * 3 + 1;
  const at::Tensor weight = random_map(2, {channels, 1, 1, 1}).flatten().to(dtype);
  const at::Tensor bias = random_map(3, {channels, 1, 1, 1}).flatten().to(dtype);
  Cells cells;
  if (cell_height > 0) {
    cells = {.factor = random_map(4, {2, channels, cell_height, cell_width}, dtype),
             .addend = random_map(5, {2, channels, cell_height, cell_width}, dtype)};
  }
  for (const Then then : {Then::kNothing, Then::kSilu}) {
    const at::Tensor wanted = expected(map, groups, weight, bias, cells, then);
    const at::Tensor result = run(map, groups, weight, bias, cells, then);
    EXPECT_EQ(result.scalar_type(), dtype);
    EXPECT_TRUE(result.is_contiguous(at::MemoryFormat::ChannelsLast));
    const double size = wanted.abs().max().item<double>();
    // One rounding to 8 bits at the end, or that of a few operations in fp32.
    EXPECT_LT(largest_difference(result, wanted), size * (dtype == at::kFloat ? 2e-6 : 4e-3));

    at::Tensor in_place = map.clone();
    apply(in_place, group_norm(map, groups, 1e-5, weight, bias), cells, then, in_place);
    EXPECT_TRUE(in_place.equal(result));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, NormKernelsTest,
                         testing::Values(Shape{at::kFloat, 8, 4, 5, 7, 0, 0},
                                         Shape{at::kFloat, 96, 32, 16, 12, 1, 1},
                                         Shape{at::kFloat, 320, 32, 24, 16, 6, 4},
                                         Shape{at::kFloat, 32, 1, 1, 1, 0, 0},
                                         Shape{at::kFloat, 64, 64, 40, 40, 40, 40},
                                         Shape{at::kBFloat16, 24, 8, 9, 11, 0, 0},
                                         Shape{at::kBFloat16, 512, 32, 16, 16, 8, 8},
                                         Shape{at::kBFloat16, 384, 32, 12, 20, 1, 1}));

using NormKernelsEdges = NormKernelsTest;

TEST_F(NormKernelsEdges, AnEvenSurfaceFarFromZeroKeepsItsDigits) {
  // A plain background: the variance is a millionth of the squared mean.
  const at::Tensor map = random_map(1, {1, 32, 64, 64}) + 1000;
  const at::Tensor ones = at::ones({32});
  const at::Tensor wanted = expected(map, 8, ones, at::zeros({32}), {}, Then::kNothing);
  // fp32 itself resolves 1000 to 6e-5.
  EXPECT_LT(largest_difference(run(map, 8, ones, at::zeros({32}), {}, Then::kNothing), wanted),
            2e-4);
}

TEST_F(NormKernelsEdges, ThreadsDoNotChangeABit) {
  const at::Tensor map = random_map(1, {2, 64, 48, 48});
  const at::Tensor ones = at::ones({64});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = run(map, 8, ones, ones, {}, Then::kSilu);
  at::set_num_threads(3);
  const at::Tensor shared = run(map, 8, ones, ones, {}, Then::kSilu);
  at::set_num_threads(before);
  EXPECT_TRUE(alone.equal(shared));
}

TEST_F(NormKernelsEdges, WhatIsNotANumberStaysSo) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    at::Tensor map = random_map(1, {1, 8, 4, 4}, dtype);
    map[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
    const at::Tensor ones = at::ones({8}).to(dtype);
    const at::Tensor result = run(map, 4, ones, ones, {}, Then::kSilu);
    EXPECT_TRUE(result.slice(1, 0, 2).isnan().all().item<bool>());
    EXPECT_FALSE(result.slice(1, 2).isnan().any().item<bool>());
  }
}

TEST_F(NormKernelsEdges, OtherMapsAreLeftToLibTorch) {
  const at::Tensor map = random_map(1, {1, 8, 4, 4});
  EXPECT_TRUE(is_for(map));
  EXPECT_FALSE(is_for(map.contiguous()));
  EXPECT_FALSE(is_for(map.to(at::kDouble)));
  EXPECT_FALSE(is_for(map[0]));
  EXPECT_FALSE(is_for(map.slice(0, 0, 0)));
}

}  // namespace
}  // namespace kandinsky::nn::kernels
