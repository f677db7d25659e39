#include "pipelines/text/run_prior.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "io/json_config.h"
#include "io/model_dir.h"
#include "nn/prior/prior_transformer.h"
#include "pipelines/monitor.h"
#include "tensor/device.h"
#include "tensor/noise.h"
#include "tensor/run_context.h"
#include "tensor/weights.h"

namespace kandinsky::pipelines {
namespace {

constexpr const char* kPrior = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1-prior";
/// More than a batch, and a single one behind it.
constexpr uint64_t kItems = kMostPriorItems + 1;

class RunPriorTest : public testing::Test {
 protected:
  RunPriorTest() {
    const io::ModelDir folder = io::ModelDir::open(kPrior);
    const io::ComponentFiles files = folder.weights("prior");
    prior_.emplace(io::JsonConfig::load(files.config_path()), tensor::Weights::open(files, {}));
    schedule_ = samplers::UnclipSchedule::from_json(folder.config("scheduler"));
    request_.prior_num_inference_steps = kSteps;
    for (uint64_t i = 0; i <= kItems; ++i) {
      const int64_t width = prior_->embedding_dim();
      at::Tensor mask = at::zeros({1, prior_->num_embeddings()}, at::kLong);
      mask.slice(1, 0, static_cast<int64_t>(9 + i)).fill_(1);
      texts_.push_back({.text_embeds = tensor::NoiseSource({i}).draw(0, {1, width}),
                        .text_encoder_hidden_states =
                            tensor::NoiseSource({i}).draw(0, {1, prior_->num_embeddings(), width}),
                        .attention_mask = mask});
    }
    for (uint64_t i = 0; i < kItems; ++i) {
      items_.push_back({.seed = 50 + i,
                        .prompt = &texts_[i],
                        .uncond = {&texts_.back()},
                        .negative = i % 2 == 0 ? &texts_.back() : nullptr});
    }
  }

  PriorOutput run(int64_t at_once, const std::function<bool(int)>& progress = {}) {
    const tensor::RunScope scope(
        [&](tensor::RunContext& context) { context.images_at_once = at_once; });
    const auto report = [&](const Progress& now, const at::Tensor& /*latents*/) {
      EXPECT_EQ(now.steps, kSteps * static_cast<int>(kItems));
      done_.push_back(now.step);
      return !progress || progress(now.step) ? ProgressAction::kContinue : ProgressAction::kSkip;
    };
    const Monitor monitor(cancel_, report, nullptr);
    return run_prior(*prior_, schedule_, items_, PriorNoise::kPromptAndNegative, request_, monitor);
  }

  static constexpr int kSteps = 3;
  const tensor::JobGuard guard_;
  std::optional<nn::PriorTransformer> prior_;
  samplers::UnclipSchedule schedule_;
  PromptRequest request_;
  std::vector<PriorText> texts_;
  std::vector<PriorItem> items_;
  CancelFlag cancel_;
  std::vector<int> done_;
};

TEST_F(RunPriorTest, ABatchGivesWhatEachItemGivesAlone) {
  const PriorOutput alone = run(1);
  EXPECT_EQ(done_.size(), 1 + kSteps * kItems);
  done_.clear();
  const PriorOutput together = run(100);
  EXPECT_EQ(done_, (std::vector<int>{0, 8, 16, 24, 25, 26, 27}));
  EXPECT_TRUE(together.is_whole);
  done_.clear();
  EXPECT_TRUE(at::equal(run(5).image_embeds.back(), alone.image_embeds.back()));
  EXPECT_EQ(done_, (std::vector<int>{0, 5, 10, 15, 19, 23, 27}))
      << "as many as there is memory for";
  for (size_t i = 0; i < kItems; ++i) {
    EXPECT_TRUE(together.image_embeds[i].equal(alone.image_embeds[i])) << i;
    ASSERT_EQ(together.negative_image_embeds[i].defined(), i % 2 == 0);
    if (i % 2 == 0) {
      EXPECT_TRUE(together.negative_image_embeds[i].equal(alone.negative_image_embeds[i])) << i;
    }
  }
  EXPECT_FALSE(alone.image_embeds[0].equal(alone.image_embeds[1]));
}

TEST_F(RunPriorTest, ABatchCanBeStopped) {
  const PriorOutput stopped = run(100, [](int step) { return step < 16; });
  EXPECT_FALSE(stopped.is_whole);
  EXPECT_EQ(stopped.image_embeds.size(), kItems);
}

}  // namespace
}  // namespace kandinsky::pipelines
