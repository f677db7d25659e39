#include "nn/kernels/tiled_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "nn/layers/attention.h"
#include "tensor/cpu.h"
#include "tensor/device.h"
#include "tensor/noise.h"

namespace kandinsky::nn {
namespace {

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape).to(at::kBFloat16);
}

/// softmax(q k^T / sqrt(size)) v in double precision.
at::Tensor formula(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads) {
  const auto of_heads = [heads](const at::Tensor& x) {
    return x.to(at::kDouble)
        .reshape({x.size(0), x.size(1), heads, x.size(2) / heads})
        .transpose(1, 2);
  };
  const int64_t head_size = q.size(2) / heads;
  const auto size = static_cast<double>(head_size);
  const at::Tensor scores = at::matmul(of_heads(q), of_heads(k).transpose(2, 3)) / std::sqrt(size);
  return at::matmul(at::softmax(scores, -1), of_heads(v)).transpose(1, 2).reshape(q.sizes());
}

class TiledAttentionTest : public testing::Test {
 protected:
  void SetUp() override {
    tensor::Placement placement;
    ASSERT_FALSE(kernels::has_tiled_attention(placement)) << "it is for bf16 only";
    placement.dtype = at::kBFloat16;
    const bool has = kernels::has_tiled_attention(placement);
    EXPECT_EQ(attention_kernel(placement) == AttentionKernel::kTiled, has);
#if defined(__x86_64__)
    ASSERT_EQ(has, __builtin_cpu_supports("avx512bf16") != 0 && !tensor::has_bf16_tiles());
#else
    ASSERT_FALSE(has);
#endif
    if (!has) GTEST_SKIP() << "this CPU has not AVX512-BF16, or it has AMX";
    placement.speedups.tiled_attention = false;
    EXPECT_NE(attention_kernel(placement), AttentionKernel::kTiled);
  }
  void TearDown() override { at::set_num_threads(threads_); }

  const tensor::JobGuard guard_;
  const int threads_ = at::get_num_threads();
};

TEST_F(TiledAttentionTest, GivesTheFormulaForAllSizes) {
  // Less and more than vectors, groups of rows, blocks of them, panels and tiles of keys.
  for (const int64_t size : {1, 33, 64, 130}) {
    for (const int64_t queries : {1, 13, 205}) {
      for (const int64_t keys : {1, 33, 256, 530}) {
        SCOPED_TRACE(testing::Message() << size << ": " << queries << " x " << keys);
        const at::Tensor q = random_tensor(1, {2, queries, 3 * size});
        const at::Tensor k = random_tensor(2, {2, keys, 3 * size});
        const at::Tensor v = random_tensor(3, {2, keys, 3 * size});
        const at::Tensor wanted = formula(q, k, v, 3);
        const at::Tensor result = kernels::tiled_attention(q, {k}, {v}, 3);
        EXPECT_LT((result - wanted).abs().max().item<double>(),
                  6e-3 * wanted.abs().max().item<double>());
      }
    }
  }
}

TEST_F(TiledAttentionTest, GivesTheFormulaForOneWideHead) {
  const at::Tensor q = random_tensor(1, {1, 300, 512});
  const at::Tensor k = random_tensor(2, {1, 1100, 512});
  const at::Tensor v = random_tensor(3, {1, 1100, 512});
  const at::Tensor wanted = formula(q, k, v, 1);
  EXPECT_LT((kernels::tiled_attention(q, {k}, {v}, 1) - wanted).abs().max().item<double>(),
            6e-3 * wanted.abs().max().item<double>());
}

/// One query's largest score is far above those before it, or not: it comes first, in the middle,
/// last.
TEST_F(TiledAttentionTest, FollowsThePeakOfTheScores) {
  for (const double above : {1.0, 4.0, 16.0}) {
    for (const int64_t place : {3, 300, 700}) {
      SCOPED_TRACE(testing::Message() << above << " at " << place);
      const at::Tensor q = random_tensor(1, {1, 20, 64});
      at::Tensor k = random_tensor(2, {1, 701, 64});
      k.slice(1, place, place + 1).copy_(q.slice(1, 5, 6) * above);
      const at::Tensor v = random_tensor(3, {1, 701, 64});
      const at::Tensor wanted = formula(q, k, v, 1);
      const at::Tensor result = kernels::tiled_attention(q, {k}, {v}, 1);
      EXPECT_LT((result - wanted).abs().max().item<double>(),
                6e-3 * wanted.abs().max().item<double>());
      // All of this query's weight.
      EXPECT_EQ(result[0][5].equal(v[0][place]), above > 1);
      // Its peak is its own.
      EXPECT_TRUE(
          kernels::tiled_attention(q.slice(1, 6, 20), {k}, {v}, 1).equal(result.slice(1, 6, 20)));
    }
  }
}

TEST_F(TiledAttentionTest, OfPartsIsThatOfTheWhole) {
  const at::Tensor q = random_tensor(1, {2, 50, 128});
  const at::Tensor k = random_tensor(2, {2, 347, 128});
  const at::Tensor v = random_tensor(3, {2, 347, 128});
  const at::Tensor whole = kernels::tiled_attention(q, {k}, {v}, 2);
  for (const std::vector<int64_t>& lengths :
       {std::vector<int64_t>{87, 260}, {1, 346}, {340, 7}, {32, 0, 315}}) {
    EXPECT_TRUE(kernels::tiled_attention(q, k.split_with_sizes(lengths, 1),
                                         v.split_with_sizes(lengths, 1), 2)
                    .equal(whole));
  }
}

TEST_F(TiledAttentionTest, OfARowIsTheSameWithAnyThreadsAndRows) {
  const at::Tensor q = random_tensor(1, {2, 431, 192});
  const at::Tensor k = random_tensor(2, {2, 519, 192});
  const at::Tensor v = random_tensor(3, {2, 519, 192});
  at::set_num_threads(1);
  const at::Tensor whole = kernels::tiled_attention(q, {k}, {v}, 3);
  at::set_num_threads(2);
  EXPECT_TRUE(kernels::tiled_attention(q, {k}, {v}, 3).equal(whole));
  EXPECT_TRUE(
      kernels::tiled_attention(q.slice(1, 7, 20), {k}, {v}, 3).equal(whole.slice(1, 7, 20)));
}

TEST_F(TiledAttentionTest, ShowsNumbersThatAreNotFinite) {
  const at::Tensor q = random_tensor(1, {1, 5, 64});
  const at::Tensor k = random_tensor(2, {1, 70, 64});
  at::Tensor v = random_tensor(3, {1, 70, 64});
  v[0][60][3] = std::nan("");
  const at::Tensor result = kernels::tiled_attention(q, {k}, {v}, 1);
  EXPECT_EQ(at::isnan(result).sum().item<int64_t>(), 5);
  EXPECT_TRUE(
      at::isnan(kernels::tiled_attention(q * std::nan(""), {k}, {k}, 1)).all().item<bool>());
}

}  // namespace
}  // namespace kandinsky::nn
