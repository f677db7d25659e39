/// Several prompts in the prior at once: each result is what it is alone.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "io/json_config.h"
#include "io/model_dir.h"
#include "nn/prior/prior_transformer.h"
#include "tensor/device.h"
#include "tensor/noise.h"
#include "tensor/speedups.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

constexpr const char* kPrior = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1-prior";

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

struct Case {
  const char* name;
  tensor::Placement placement;
};

class PriorBatchTest : public testing::TestWithParam<Case> {
 protected:
  PriorBatchTest() {
    const io::ComponentFiles files = io::ModelDir::open(kPrior).weights("prior");
    prior_.emplace(io::JsonConfig::load(files.config_path()),
                   tensor::Weights::open(files, GetParam().placement));
    // Of one, two and three rows, and of different lengths.
    for (int64_t i = 0; i < 6; ++i) {
      const int64_t rows = i % 3 + 1;
      at::Tensor mask = at::zeros({rows, prior_->num_embeddings()}, at::kLong);
      mask.slice(1, 0, 9 + 7 * i).fill_(1);
      const auto seed = static_cast<uint64_t>(i);
      const int64_t width = prior_->embedding_dim();
      texts_.push_back({random_tensor(seed, {rows, width}),
                        random_tensor(seed, {rows, prior_->num_embeddings(), width}), mask});
      latents_.push_back(random_tensor(100 + seed, {rows, width}));
    }
  }

  const tensor::JobGuard guard_;
  std::optional<PriorTransformer> prior_;
  std::vector<PriorTransformer::Texts> texts_;
  std::vector<at::Tensor> latents_;
};

TEST_P(PriorBatchTest, EachIsWhatItIsAlone) {
  for (const bool is_in_turn : {false, true}) {
    PriorTransformer::Batch batch = prior_->condition(texts_);
    if (is_in_turn) batch.is_joined = false;
    for (const double timestep : {7.0, 900.0}) {
      const std::vector<at::Tensor> together = (*prior_)(latents_, timestep, batch);
      ASSERT_EQ(together.size(), texts_.size());
      EXPECT_TRUE(batch.is_joined.has_value());
      for (size_t i = 0; i < texts_.size(); ++i) {
        PriorTransformer::Batch alone = prior_->condition({texts_[i]});
        const at::Tensor expected = (*prior_)({latents_[i]}, timestep, alone).front();
        EXPECT_GT(expected.to(at::kFloat).std().item<double>(), 0.0);
        EXPECT_TRUE(together[i].equal(expected)) << "prompt " << i << " at " << timestep;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Placements, PriorBatchTest,
    testing::Values(Case{"Fp32", {.few_rows = true}}, Case{"Fp32Packed", {}},
                    Case{"Bf16", {.dtype = at::kBFloat16, .few_rows = true}},
                    Case{"Int8", {.few_rows = true, .int8_weights = true}},
                    Case{"Streamed", tensor::with_streamed_weights({.few_rows = true})},
                    Case{"WithoutCache",
                         {.speedups = tensor::speedups_without({"prior-kv-cache"}),
                          .few_rows = true}}),
    [](const testing::TestParamInfo<Case>& instance) { return instance.param.name; });

}  // namespace
}  // namespace kandinsky::nn
