#include "pipelines/text/prompt_cache.h"

#include "unit/pipelines/tiny_encoding.h"

namespace kandinsky::pipelines {
namespace {

class PromptCacheTest : public TinyEncodingTest {};

TEST_F(PromptCacheTest, ThePriorRunsOnceForTheSameImage) {
  const PromptRequest once = request({"a red circle"});
  const Pipeline::EncodedPrompts first = encode(once);
  EXPECT_EQ(began("prior"), 1);
  const Pipeline::EncodedPrompts second = encode(once);
  EXPECT_EQ(began("prior"), 0);
  EXPECT_EQ(began("load"), 0);
  expect_same(second.embeds, first.embeds);
  expect_same(second.negative_embeds, first.negative_embeds);
}

TEST_F(PromptCacheTest, WhateverTheImageDependsOnRunsItAgain) {
  PromptRequest base = request({"a red circle"});
  base.negative_prompts = std::vector<std::string>{"bad"};
  encode(base);
  const auto runs_again = [&](const auto& change) {
    PromptRequest changed = base;
    change(changed);
    encode(changed);
    return began("prior") == 1;
  };
  EXPECT_TRUE(runs_again([](PromptRequest& r) { r.prompts = {"a blue square"}; }));
  EXPECT_TRUE(runs_again([](PromptRequest& r) { r.seeds = {77}; }));
  EXPECT_TRUE(runs_again([](PromptRequest& r) { r.prior_num_inference_steps = 4; }));
  EXPECT_TRUE(runs_again([](PromptRequest& r) { r.prior_guidance_scale = 2.0; }));
  EXPECT_TRUE(runs_again([](PromptRequest& r) { r.negative_prompts = {"ugly"}; }));
  EXPECT_TRUE(runs_again([](PromptRequest& r) { r.negative_prior_prompts = {"dull"}; }));
  EXPECT_TRUE(runs_again([](PromptRequest& r) { r.negative_image = NegativeImage::kPrior; }));
  EXPECT_TRUE(runs_again([](PromptRequest& r) { r.parse_weights = false; }));
  EXPECT_FALSE(runs_again([](PromptRequest&) {}));
}

TEST_F(PromptCacheTest, OnlyNewImagesOfABatchAreRun) {
  encode(request({"a red circle", "a blue square"}, 5));
  const Pipeline::EncodedPrompts batch =
      encode(request({"a red circle", "a blue square", "a dog"}, 5));
  EXPECT_EQ(began("prior"), 1);
  pipeline_ = open();
  expect_same(batch.embeds, encode(request({"a red circle", "a blue square", "a dog"}, 5)).embeds);
}

TEST_F(PromptCacheTest, RemarksAreSaidEachTime) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "red ";
  encode(request({text}));
  const std::vector<std::string> said = messages_;
  EXPECT_FALSE(said.empty());
  encode(request({text}));
  EXPECT_EQ(messages_, said);
}

TEST_F(PromptCacheTest, APriorThatWasEndedEarlyIsNotKept) {
  PromptRequest wanted = request({"a red circle"});
  const Monitor hasty(cancel_,
                      [](const Progress& progress, const at::Tensor&) {
                        const bool ends =
                            std::string_view(progress.stage) == "prior" && progress.step == 1;
                        return ends ? ProgressAction::kSkip : ProgressAction::kContinue;
                      },
                      {});
  const Embeds early = pipeline_->encode_prompts(wanted, hasty).embeds;
  const Embeds whole = encode(wanted).embeds;
  EXPECT_EQ(began("prior"), 1);
  EXPECT_FALSE(whole.at("image_embeds").equal(early.at("image_embeds")));
}

TEST_F(PromptCacheTest, UnloadingForgetsIt) {
  encode(request({"a red circle"}));
  pipeline_->unload();
  encode(request({"a red circle"}));
  EXPECT_EQ(began("prior"), 1);
}

TEST(PromptCacheKeys, OtherLorasOfTextsAndPriorLeaveImagesAlone) {
  PromptCache cache;
  cache.keep_for("");
  cache.prior_embeds.put({.prompt = "a"}, {});
  cache.image_embeds.put({.width = 1}, at::zeros({1, 2}));
  cache.keep_for("");
  EXPECT_NE(cache.prior_embeds.find({.prompt = "a"}), nullptr);
  cache.keep_for("ink");
  EXPECT_EQ(cache.prior_embeds.find({.prompt = "a"}), nullptr);
  EXPECT_NE(cache.image_embeds.find({.width = 1}), nullptr);
  EXPECT_EQ(cache.image_embeds.find({.width = 1, .adapters = "ink"}), nullptr);
}

TEST(RecentlyUsedTest, KeepsWhatWasUsedLast) {
  RecentlyUsed<int, std::string> memory(2);
  memory.put(1, "one");
  memory.put(2, "two");
  ASSERT_NE(memory.find(1), nullptr);
  memory.put(3, "three");
  EXPECT_EQ(memory.find(2), nullptr);
  EXPECT_EQ(*memory.find(1), "one");
  memory.put(1, "uno");
  EXPECT_EQ(*memory.find(1), "uno");
  EXPECT_EQ(*memory.find(3), "three");
}

}  // namespace
}  // namespace kandinsky::pipelines
