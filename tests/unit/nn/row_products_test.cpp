#include "nn/kernels/row_products.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <string>

#include "nn/layers/linear.h"
#include "tensor/noise.h"
#include "unit/nn/stored_weights.h"

namespace kandinsky::nn {
namespace {

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

class RowProductsTest : public testing::Test {
 protected:
  void SetUp() override {
    tensor::Placement placement;
    placement.few_rows = true;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
        __builtin_cpu_supports("f16c") != 0) {
      ASSERT_TRUE(kernels::keeps_stored_matrices(placement));
      ASSERT_TRUE(kernels::has_row_products());
      return;
    }
#endif
    ASSERT_FALSE(kernels::has_row_products());
    ASSERT_FALSE(kernels::keeps_stored_matrices(placement));
    GTEST_SKIP() << "this CPU has not AVX2, FMA and F16C";
  }
  const tensor::JobGuard guard_;
};

TEST_F(RowProductsTest, AreThoseOfTheWidenedMatrixForAllTypesAndSizes) {
  for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) {
    // Rows that are multiplied alone, together, and with a widened matrix; ends of every length.
    for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 23}) {
      for (const auto& [outputs, width] : {std::pair{1, 3}, {9, 8}, {70, 77}, {131, 2048}}) {
        SCOPED_TRACE(testing::Message()
                     << c10::toString(type) << " " << rows << " x " << width << " x " << outputs);
        const at::Tensor x = random_tensor(1, {rows, width});
        const at::Tensor weight = random_tensor(2, {outputs, width}).to(type);
        const at::Tensor bias = random_tensor(3, {outputs});
        const at::Tensor exact =
            at::linear(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
        const at::Tensor products = kernels::row_products(x, weight, bias);
        EXPECT_LT((products - exact).abs().max().item<double>(),
                  1e-6 * exact.abs().max().item<double>());
        EXPECT_TRUE(kernels::row_products(x, weight, {})
                        .equal(kernels::row_products(x, weight, at::zeros({outputs}))));
      }
    }
  }
}

TEST_F(RowProductsTest, AreTheSameWithNarrowerVectorsButForTheirLastBits) {
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 23}) {
    const at::Tensor x = random_tensor(1, {rows, 777});
    for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) {
      const at::Tensor weight = random_tensor(2, {131, 777}).to(type);
      const at::Tensor exact = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
      const at::Tensor narrow = kernels::row_products(x, weight, {}, kernels::RowVectors::kAvx2);
      EXPECT_LT((narrow - exact).abs().max().item<double>(),
                1e-6 * exact.abs().max().item<double>())
          << rows << " " << c10::toString(type);
    }
  }
}

TEST_F(RowProductsTest, OfARowAreTheSameWhateverIsMultipliedWithIt) {
  const int threads = at::get_num_threads();
  for (const kernels::RowVectors vectors :
       {kernels::RowVectors::kAvx2, kernels::widest_row_vectors()}) {
    for (const int64_t width : {520, 2048, 533}) {
      const at::Tensor x = random_tensor(1, {2, 20, width});
      const at::Tensor weight = random_tensor(2, {301, width}).to(at::kHalf);
      const at::Tensor all = kernels::row_products(x, weight, {}, vectors);
      ASSERT_EQ(all.sizes(), at::IntArrayRef({2, 20, 301}));
      for (const int count : {1, 3}) {
        at::set_num_threads(count);
        for (const int64_t rows : {1, 2, 3, 4, 5, 6}) {
          const at::Tensor some = x[1].slice(0, 7, 7 + rows);
          EXPECT_TRUE(
              kernels::row_products(some, weight, {}, vectors).equal(all[1].slice(0, 7, 7 + rows)))
              << rows << " rows of " << width;
        }
      }
      at::set_num_threads(threads);
    }
  }
}

TEST_F(RowProductsTest, TakeTheWeightsOfALayerAsTheFileHasThem) {
  const test::StoredWeights stored(
      {{"weight", random_tensor(1, {40, 24}).to(at::kHalf)}, {"bias", random_tensor(2, {40})}});
  tensor::Placement few_rows;
  few_rows.few_rows = true;
  const tensor::Weights weights = stored.open(few_rows);
  EXPECT_EQ(weights.take_stored("weight", {40, 24}).scalar_type(), at::kHalf);
  const at::Tensor x = random_tensor(3, {5, 24});
  const at::Tensor residual = random_tensor(4, {5, 40});
  const Linear kept(weights, 24, 40);
  const Linear converted(stored.open({}), 24, 40);
  EXPECT_TRUE(at::allclose(kept(x), converted(x), 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(kept.add_to(residual, x), converted.add_to(residual, x), 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(kept.activated(x, Activation::kGelu),
                           converted.activated(x, Activation::kGelu), 1e-5, 1e-5));
}

}  // namespace
}  // namespace kandinsky::nn
