#include "nn/kernels/int8_products.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/cpu.h"
#include "tensor/device.h"
#include "tensor/noise.h"

namespace kandinsky::nn {
namespace {

using kernels::IntegerDots;

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

at::Tensor random_matrix(int64_t outputs, int64_t width) {
  return (random_tensor(2, {outputs, width}) * 60).round().clamp(-127, 127).to(at::kChar);
}

class Int8ProductsTest : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") != 0) {
      ASSERT_FALSE(kernels::integer_dots().empty());
      return;
    }
#endif
    ASSERT_TRUE(kernels::integer_dots().empty());
    GTEST_SKIP() << "this CPU has not AVX2";
  }
  const tensor::JobGuard guard_;
};

TEST_F(Int8ProductsTest, UseTheInstructionsThatThisCpuHas) {
  std::vector<IntegerDots> expected{IntegerDots::kAvx2};
#if defined(__x86_64__)
  if (tensor::has_avx_vnni()) expected.push_back(IntegerDots::kAvxVnni);
  if (at::get_cpu_capability() == "AVX512" && __builtin_cpu_supports("avx512vnni") != 0)
    expected.push_back(IntegerDots::kAvx512Vnni);
#endif
  EXPECT_EQ(kernels::integer_dots(), expected);
}

TEST_F(Int8ProductsTest, AreThoseOfTheScaledMatrixForAllSizes) {
  for (const IntegerDots dots : kernels::integer_dots()) {
    // One group of rows and several; ends of every length; sums of more than one block.
    for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 23}) {
      for (const auto& [outputs, width] :
           {std::pair{1, 3}, {9, 16}, {70, 77}, {131, 2048}, {35, 4097}, {66, 8192}}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(dots) << ": " << rows << " x " << width
                                        << " x " << outputs);
        const at::Tensor x = random_tensor(1, {rows, width});
        const at::Tensor weight = random_matrix(outputs, width);
        const at::Tensor bias = random_tensor(3, {outputs});
        const at::Tensor scales = random_tensor(4, {outputs});
        const at::Tensor exact =
            at::linear(x.to(at::kDouble), weight.to(at::kDouble)) * scales + bias;
        const at::Tensor products = kernels::int8_products(x, weight, scales, bias, dots);
        const at::Tensor rounding = x.abs().amax(1, true).to(at::kDouble) / 65534 *
                                    (weight.to(at::kDouble).abs().sum(1) * scales.abs());
        EXPECT_TRUE(((products - exact).abs() < 1.001 * rounding + 1e-6 * exact.abs().max())
                        .all()
                        .item<bool>());
        EXPECT_TRUE(
            kernels::int8_products(x, weight, scales, {}, dots)
                .equal(kernels::int8_products(x, weight, scales, at::zeros({outputs}), dots)));
      }
    }
  }
}

TEST_F(Int8ProductsTest, OfLargestNumbersDoNotOverflow) {
  for (const int64_t width : {4096, 8192, 20000}) {
    const at::Tensor x = at::full({6, width}, 3.0);
    const at::Tensor weight = at::full({9, width}, -128, at::kChar);
    for (const IntegerDots dots : kernels::integer_dots()) {
      const at::Tensor products = kernels::int8_products(x, weight, at::ones({9}), {}, dots);
      EXPECT_TRUE(at::allclose(products, at::full({6, 9}, -3.0 * 128 * static_cast<double>(width)),
                               1e-6, 0))
          << width << ": " << static_cast<int>(dots);
    }
  }
}

TEST_F(Int8ProductsTest, DependOnNothingButTheirRow) {
  const int threads = at::get_num_threads();
  for (const int64_t width : {520, 2048, 5333}) {
    const at::Tensor x = random_tensor(1, {2, 20, width});
    const at::Tensor weight = random_matrix(301, width);
    const at::Tensor scales = random_tensor(4, {301});
    const at::Tensor all =
        kernels::int8_products(x, weight, scales, {}, kernels::integer_dots().front());
    ASSERT_EQ(all.sizes(), at::IntArrayRef({2, 20, 301}));
    for (const IntegerDots dots : kernels::integer_dots()) {
      for (const int count : {1, 3}) {
        at::set_num_threads(count);
        for (const int64_t rows : {1, 2, 3, 4, 5, 6, 13}) {
          const at::Tensor some = x[1].slice(0, 7, 7 + rows);
          EXPECT_TRUE(kernels::int8_products(some, weight, scales, {}, dots)
                          .equal(all[1].slice(0, 7, 7 + rows)))
              << rows << " rows of " << width << ": " << static_cast<int>(dots);
        }
      }
      at::set_num_threads(threads);
    }
  }
}

TEST_F(Int8ProductsTest, OfARowThatIsNotFiniteAreNotFinite) {
  for (const float number : {std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(), std::nanf("")}) {
    at::Tensor x = random_tensor(1, {3, 70});
    x[1][69] = number;
    const at::Tensor weight = random_matrix(9, 70);
    for (const IntegerDots dots : kernels::integer_dots()) {
      const at::Tensor products = kernels::int8_products(x, weight, at::ones({9}), {}, dots);
      EXPECT_FALSE(products[1].isfinite().any().item<bool>()) << number;
      EXPECT_TRUE(products[0].isfinite().all().item<bool>()) << number;
      EXPECT_TRUE(products[2].isfinite().all().item<bool>()) << number;
    }
  }
}

TEST_F(Int8ProductsTest, OfZerosAndOfTheSmallestNumbersAreTheBias) {
  const at::Tensor bias = random_tensor(3, {9});
  for (const double number : {0.0, 1e-40, 1e-36}) {
    const at::Tensor x = at::full({2, 70}, number);
    EXPECT_TRUE(kernels::int8_products(x, random_matrix(9, 70), at::ones({9}), bias,
                                       kernels::integer_dots().back())
                    .equal(bias.expand({2, 9})))
        << number;
  }
}

}  // namespace
}  // namespace kandinsky::nn
