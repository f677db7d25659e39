/// Either kernel, and any way to cut the work into slices, gives what the formula gives.
#include "nn/layers/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "tensor/noise.h"

namespace kandinsky::nn {
namespace {

struct Shape {
  const char* name;
  int64_t batch;
  int64_t heads;
  int64_t size;
  int64_t queries;
  int64_t keys;
};

class AttentionTest : public testing::TestWithParam<Shape> {
 protected:
  static at::Tensor random(uint64_t seed, int64_t rows) {
    const Shape& shape = GetParam();
    return tensor::NoiseSource({seed}).draw(0, {shape.batch, rows, shape.heads * shape.size});
  }

  /// softmax(q k^T / sqrt(size)) v in double precision, one head of one image after another.
  static at::Tensor formula(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    const Shape& shape = GetParam();
    at::Tensor result = at::empty_like(q, at::kDouble);
    for (int64_t image = 0; image < shape.batch; ++image) {
      for (int64_t head = 0; head < shape.heads; ++head) {
        const auto part = [&](const at::Tensor& x) {
          return x[image].slice(1, head * shape.size, (head + 1) * shape.size).to(at::kDouble);
        };
        const at::Tensor scores =
            at::mm(part(q), part(k).t()) / std::sqrt(static_cast<double>(shape.size));
        result[image]
            .slice(1, head * shape.size, (head + 1) * shape.size)
            .copy_(at::mm(at::softmax(scores, -1), part(v)));
      }
    }
    return result;
  }
};

TEST_P(AttentionTest, GivesTheFormula) {
  for (const auto& [dtype, tolerance] : {std::pair(at::kFloat, 1e-5), {at::kBFloat16, 3e-2}}) {
    const at::Tensor q = random(1, GetParam().queries).to(dtype);
    const at::Tensor k = random(2, GetParam().keys).to(dtype);
    const at::Tensor v = random(3, GetParam().keys).to(dtype);
    const at::Tensor wanted = formula(q, k, v);
    for (const AttentionKernel kernel : {AttentionKernel::kFused, AttentionKernel::kBatched}) {
      const at::Tensor result = attention(q, k, v, GetParam().heads, kernel);
      EXPECT_LT((result - wanted).abs().max().item<double>(),
                tolerance * wanted.abs().max().item<double>());
    }
  }
}

// The last two have more scores in a head than are held at once: their queries come in slices.
TEST(AttentionThreads, TheirNumberDoesNotShow) {
  const int threads = at::get_num_threads();
  for (const int64_t queries : {1, 2, 3, 4, 16}) {
    for (const int64_t keys : {12, 37, 88, 93}) {
      const at::Tensor q = tensor::NoiseSource({1}).draw(0, {2, queries, 48});
      const at::Tensor k = tensor::NoiseSource({2}).draw(0, {2, keys, 48});
      const auto run = [&](int number) {
        at::set_num_threads(number);
        return attention(q, k, k, 3, AttentionKernel::kFused);
      };
      EXPECT_TRUE(run(1).equal(run(2))) << queries << " queries, " << keys << " keys";
    }
  }
  at::set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest,
                         testing::Values(Shape{"one_token", 1, 1, 4, 1, 1},
                                         Shape{"all_heads_at_once", 2, 3, 8, 16, 21},
                                         Shape{"some_heads_at_once", 2, 5, 4, 1024, 1101},
                                         Shape{"queries_in_slices", 2, 2, 4, 2100, 2177},
                                         Shape{"one_head_in_slices", 1, 1, 16, 2304, 2304}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace kandinsky::nn
