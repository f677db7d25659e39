/// Rows of embeds by image and step, and guidance.
#include "pipelines/denoise/conditions.h"

#include <algorithm>
#include <functional>

#include "pipelines/denoise/conditioning_rows.h"
#include "unit/pipelines/tiny_pipeline.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

TEST(ArePairsTest, OnlyWhereAllAre) {
  EXPECT_TRUE(are_pairs({}));
  EXPECT_TRUE(are_pairs({77, 77}));
  EXPECT_TRUE(are_pairs({77, 77, 154, 154}));
  EXPECT_FALSE(are_pairs({77}));
  EXPECT_FALSE(are_pairs({77, 77, 77})) << "kernels would be packed twice a step";
  EXPECT_FALSE(are_pairs({77, 77, 77, 154}));
}

class ConditionsTest : public TinyPipelineTest {
 protected:
  /// All three rows of the embeds may be asked for.
  at::Tensor run(const DenoiseRequest& request) {
    return denoise(request, embeds_, negative_embeds_);
  }

  static DenoiseRequest with(const std::vector<Condition>& conditions) {
    DenoiseRequest request = TinyPipelineTest::request();
    request.conditions = conditions;
    request.negative_conditions = {{0, 0, 1, 4}};
    return request;
  }

  at::Tensor plain(const DenoiseRequest& request, int64_t row = 0) {
    return denoise(request, rows_of(embeds_, row, 1), rows_of(negative_embeds_, 0, 1));
  }
};

TEST_F(ConditionsTest, OneConditionIsPlainGuidance) {
  EXPECT_TRUE(run(with({{0, 0, 1, 4}})).equal(plain(request())));
  EXPECT_TRUE(run(with({{1, 0, 1, 4}})).equal(plain(request(), 1)));
}

TEST_F(ConditionsTest, AWeightOfZeroLeavesNoTrace) {
  const at::Tensor expected = plain(request());
  EXPECT_TRUE(run(with({{0, 0, 1, 4}, {1, 0, 1, 4, 0.0}})).equal(expected));
  EXPECT_TRUE(run(with({{2, 0, 1, 4, 0.0}, {0, 0, 1, 4}, {1, 0, 1, 4, 0.0}})).equal(expected));
}

TEST_F(ConditionsTest, WeightsOfZeroAloneLeaveTheNegative) {
  DenoiseRequest alone = request();
  alone.guidance_scale = 1.0;
  const at::Tensor negative =
      denoise(alone, rows_of(negative_embeds_, 0, 1), rows_of(negative_embeds_, 0, 1));
  EXPECT_TRUE(run(with({{0, 0, 1, 4, 0.0}, {1, 0, 1, 4, 0.0}})).equal(negative));
}

TEST_F(ConditionsTest, ARowInTwoHalvesIsTheRow) {
  const at::Tensor expected = plain(request());
  const at::Tensor halves = run(with({{0, 0, 1, 4, 0.5}, {0, 0, 1, 4, 0.5}}));
  EXPECT_TRUE(halves.allclose(expected, 1e-4, 1e-4));
}

TEST_F(ConditionsTest, TheOrderOfConditionsDoesNotMatter) {
  const at::Tensor one = run(with({{0, 0, 1, 4, 0.7}, {1, 0, 1, 4, 0.5}, {2, 0, 1, 4, -0.2}}));
  const at::Tensor other = run(with({{2, 0, 1, 4, -0.2}, {0, 0, 1, 4, 0.7}, {1, 0, 1, 4, 0.5}}));
  EXPECT_TRUE(one.allclose(other, 1e-4, 1e-4));
  EXPECT_FALSE(one.allclose(plain(request()), 1e-4, 1e-4));
}

TEST_F(ConditionsTest, PromptEditingIsARowAfterAnother) {
  std::vector<at::Tensor> previews;
  on_step_ = [&](const Progress&, const at::Tensor& latents) {
    if (latents.defined()) previews.push_back(latents);
    return ProgressAction::kContinue;
  };
  plain(request());
  const std::vector<at::Tensor> unedited = std::move(previews);
  previews.clear();
  run(with({{0, 0, 1, 2}, {1, 0, 3, 4}}));
  ASSERT_EQ(previews.size(), 4U);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(previews[i].equal(unedited[i]), i < 2) << i;
  EXPECT_TRUE(run(with({{0, 0, 1, 1}, {0, 0, 2, 2}, {0, 0, 3, 4}})).equal(plain(request())));
}

TEST_F(ConditionsTest, StepsAreThoseOfTheWholeSchedule) {
  // Half of the steps are left out, so the first row is never asked for.
  DenoiseRequest edited = with({{0, 0, 1, 2}, {1, 0, 3, 4}});
  edited.init_latents = init_latents();
  edited.strength = 0.5;
  DenoiseRequest simple = request();
  simple.init_latents = edited.init_latents;
  simple.strength = 0.5;
  EXPECT_TRUE(run(edited).equal(plain(simple, 1)));
  // Nor does it need to be there.
  edited.conditions.erase(edited.conditions.begin());
  edited.negative_conditions = {{0, 0, 3, 4}};
  EXPECT_TRUE(run(edited).equal(plain(simple, 1)));
}

TEST_F(ConditionsTest, ARowServesSeveralImages) {
  DenoiseRequest request = TinyPipelineTest::request(3);
  request.conditions = {{1, 0, 1, 4}, {1, 1, 1, 4}, {2, 2, 1, 4}};
  request.negative_conditions = {{0, 0, 1, 4}, {0, 1, 1, 4}, {0, 2, 1, 4}};
  const at::Tensor latents = run(request);
  DenoiseRequest single = TinyPipelineTest::request();
  single.seeds = {request.seeds[1]};
  EXPECT_TRUE(latents.slice(0, 1, 2).equal(plain(single, 1)));
}

TEST_F(ConditionsTest, RowsThatThereIsNoRoomForAreTheSame) {
  // Two of these texts are kept at a time, and two more looked at.
  constexpr int64_t kRows = 6;
  const Embeds embeds = random_embeds(3, kRows, 8 * kTextLength);
  const Embeds negative_embeds = random_embeds(4, kRows, 8 * kTextLength);
  const DenoiseRequest request = TinyPipelineTest::request(kRows);
  const at::Tensor latents = denoise(request, embeds, negative_embeds);
  for (int64_t i = 0; i < kRows; ++i) {
    DenoiseRequest single = TinyPipelineTest::request();
    single.seeds = {request.seeds[static_cast<size_t>(i)]};
    EXPECT_TRUE(latents.slice(0, i, i + 1)
                    .equal(denoise(single, rows_of(embeds, i, 1), rows_of(negative_embeds, i, 1))))
        << i;
  }
  // All rows for one image, in pairs.
  std::vector<Condition> conditions;
  for (int64_t row = 0; row < kRows; ++row) conditions.push_back({row, 0, 1, 4, 1.0 / kRows});
  DenoiseRequest mixed = TinyPipelineTest::request();
  mixed.conditions = conditions;
  mixed.negative_conditions = {{0, 0, 1, 4}};
  const at::Tensor of_all = denoise(mixed, embeds, negative_embeds);
  std::ranges::reverse(mixed.conditions);
  EXPECT_TRUE(denoise(mixed, embeds, negative_embeds).allclose(of_all, 1e-4, 1e-4));
  for (Condition& condition : mixed.conditions) condition.row = 1;
  EXPECT_FALSE(denoise(mixed, embeds, negative_embeds).allclose(of_all, 1e-3, 1e-3));
}

TEST_F(ConditionsTest, TheGuidanceIntervalIsCountedInWholeSteps) {
  DenoiseRequest request = TinyPipelineTest::request();
  const at::Tensor everywhere = plain(request);
  request.guidance_scale = 1.0;
  const at::Tensor nowhere = plain(request);
  request.guidance_scale = 4.0;
  request.guidance_end = 0.0;
  EXPECT_TRUE(plain(request).equal(nowhere));
  EXPECT_TRUE(denoise(*pipeline_, request, rows_of(embeds_, 0, 1), nullptr).equal(nowhere));
  request.guidance_start = 0.1;
  request.guidance_end = 1.0;
  const at::Tensor from_second = plain(request);
  EXPECT_FALSE(from_second.equal(everywhere));
  request.guidance_start = 0.25;
  EXPECT_TRUE(plain(request).equal(from_second));
  std::vector<bool> guided;
  request.guidance_end = 0.75;
  for (int step = 1; step <= 4; ++step) guided.push_back(is_guided(request, step));
  EXPECT_EQ(guided, (std::vector<bool>{false, true, true, false}));
}

TEST_F(ConditionsTest, RescaledGuidanceHasTheDeviationOfTheCondition) {
  DenoiseRequest request = TinyPipelineTest::request();
  request.num_inference_steps = 1;
  const at::Tensor strong = plain(request);
  request.guidance_rescale = 1.0;
  const at::Tensor rescaled = plain(request);
  request.guidance_rescale = 0.5;
  const at::Tensor half = plain(request);
  EXPECT_TRUE(half.allclose((strong + rescaled) / 2, 1e-4, 1e-3));
  EXPECT_FALSE(strong.allclose(rescaled, 1e-2, 1e-2));
}

TEST_F(ConditionsTest, TextsCountUpToTheirOwnLength) {
  const at::Tensor expected = plain(request());
  Embeds embeds = rows_of(embeds_, 0, 1);
  for (auto& [name, tensor] : embeds.tensors) {
    if (name == "text_encoder_hidden_states")
      tensor = at::cat({tensor, at::zeros({1, kTextLength, kHiddenWidth})}, 1);
  }
  const Embeds negative = rows_of(negative_embeds_, 0, 1);
  const at::Tensor whole = denoise(request(), embeds, negative);
  EXPECT_FALSE(whole.allclose(expected, 1e-3, 1e-3));
  embeds.tensors.emplace_back("text_lengths", at::full({1, 1}, 77.0));
  EXPECT_TRUE(denoise(request(), embeds, negative).equal(expected));
}

TEST_F(ConditionsTest, TextsOfDifferentLengthsAreAskedApart) {
  // A row asked for alone is rounded differently, and no more than that.
  const Embeds longer = random_embeds(5, 1, 2 * kTextLength);
  const Embeds negative = random_embeds(6, 1, 2 * kTextLength);
  Embeds padded = longer;
  for (auto& [name, tensor] : padded.tensors) {
    if (name == "text_encoder_hidden_states")
      tensor = at::cat({tensor, at::zeros({1, kTextLength, kHiddenWidth})}, 1);
  }
  padded.tensors.emplace_back("text_lengths", at::full({1, 1}, 154.0));
  const at::Tensor together = denoise(request(), longer, negative);
  EXPECT_TRUE(denoise(request(), padded, negative).equal(together));
  EXPECT_TRUE(
      denoise(request(), longer, rows_of(negative_embeds_, 0, 1)).isfinite().all().item<bool>());
}

TEST_F(ConditionsTest, RefusesWhatLeavesAnImageUnguided) {
  const auto refused = [&](const char* part, const std::function<void(DenoiseRequest&)>& spoil) {
    DenoiseRequest request = with({{0, 0, 1, 4}});
    spoil(request);
    test::expect_error(ErrorCode::kInvalidArgument, part, [&] { run(request); });
  };
  using R = DenoiseRequest;
  refused("image 0, counted from 0, has no condition in step 3", [](R& r) {
    r.conditions = {{0, 0, 1, 2}, {1, 0, 4, 4}};
  });
  refused("has no negative condition in step 4", [](R& r) {
    r.negative_conditions = {{0, 0, 1, 3}};
  });
  refused("more than one negative condition in step 2", [](R& r) {
    r.negative_conditions = {{0, 0, 1, 4}, {1, 0, 2, 2}};
  });
  refused("a weight other than 1", [](R& r) { r.negative_conditions[0].weight = 0.5; });
  refused("row is 1024", [](R& r) { r.conditions[0].row = 1024; });
  refused("row is -1", [](R& r) { r.conditions[0].row = -1; });
  refused("a condition uses row 3, but there are 3 rows", [](R& r) { r.conditions[0].row = 3; });
  refused("negative condition 1: image is 1", [](R& r) { r.negative_conditions[0].image = 1; });
  refused("steps are 0 to 4", [](R& r) { r.conditions[0].first_step = 0; });
  refused("steps are 3 to 2", [](R& r) {
    r.conditions[0].first_step = 3;
    r.conditions[0].last_step = 2;
  });
  refused("steps are 1 to 5", [](R& r) { r.conditions[0].last_step = 5; });
  refused("weight is nan", [](R& r) { r.conditions[0].weight = NAN; });
  refused("weight is 1e+30", [](R& r) { r.conditions[0].weight = 1e30; });
  refused("must sum to more than 0", [](R& r) {
    r.guidance_scale = 1.0;
    r.conditions[0].weight = 0.0;
  });
  refused("because of guidance_threshold", [](R& r) {
    r.guidance_threshold = 0.9;
    r.conditions[0].weight = -1.0;
  });
  refused("guidance starts at 0.6", [](R& r) {
    r.guidance_start = 0.6;
    r.guidance_end = 0.5;
  });
}

/// An image whose predictions agree from the first step on has guidance in that step alone.
TEST_F(ConditionsTest, AThresholdEndsGuidanceOfEachImage) {
  DenoiseRequest request = this->request(3);
  const at::Tensor guided = run(request);
  request.guidance_threshold = 0.0;
  const at::Tensor ended = run(request);
  request.guidance_threshold = 0.9999999;
  EXPECT_TRUE(run(request).equal(guided)) << "too much for these";
  request.guidance_threshold = 1.0;
  request.guidance_end = 0.25;
  EXPECT_TRUE(run(request).equal(ended));
  EXPECT_FALSE(guided.equal(ended));
}

TEST_F(ConditionsTest, RefusesEmbedsThatDoNotFit) {
  const auto refused = [&](const char* part, const Embeds& embeds) {
    test::expect_error(ErrorCode::kInvalidArgument, part,
                       [&] { denoise(request(), embeds, rows_of(negative_embeds_, 0, 1)); });
  };
  refused("embeds: image_embeds is [3, 16], but this model and batch need [1, 16]", embeds_);
  refused("text_encoder_hidden_states is [1, 78, 24]", random_embeds(1, 1, 78));
  Embeds wrong = random_embeds(1, 1);
  wrong.tensors.emplace_back("text_lengths", at::full({1, 1}, 78.0));
  refused("text_lengths must be whole numbers from 1 to 77", wrong);
  wrong.tensors.back().second = at::full({1, 1}, 76.5);
  refused("text_lengths must be whole", wrong);
  wrong.tensors.back().second = at::full({1, 2}, 77.0);
  refused("text_lengths is [1, 2]", wrong);
  wrong = random_embeds(1, 1);
  wrong.tensors[0].second.fill_(NAN);
  refused("image_embeds has values that are not finite", wrong);
  test::expect_error(ErrorCode::kInvalidArgument, "guidance needs negative embeds",
                     [&] { denoise(*pipeline_, request(), rows_of(embeds_, 0, 1), nullptr); });
}

}  // namespace
}  // namespace kandinsky::pipelines
