#include "pipelines/memory/memory_plan.h"

#include <gtest/gtest.h>

#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

enum Index : size_t { kMovq, kUNet, kTexts, kPrior, kOther };

/// A model like the real one, in megabytes. kOther is in no stage.
MemoryNeeds needs() {
  return {.components = {{"movq", 140, 140},
                         {"unet", 2460, 400},
                         {"texts", 850, 850},
                         {"prior", 2040, 200},
                         {"other", 2460, 400}},
          .stages = {{"texts", {kTexts}, 100, 100},
                     {"prior", {kPrior}, 100, 100},
                     {"denoising", {kUNet}, 300, 300},
                     {"decoding", {kMovq}, 900, 400}},
          .base = 300};
}

constexpr int64_t kAll = 300 + 140 + 2460 + 850 + 2040;

Holding holding(const MemoryPlan& plan, size_t stage, Index component) {
  return plan.stages.at(stage).holdings.at(component);
}

TEST(MemoryPlan, HoldsEverythingWhereItFits) {
  const MemoryPlan plan = plan_memory(needs(), kAll + 900);
  EXPECT_TRUE(plan.holds_everything);
  EXPECT_EQ(plan.peak(), kAll + 900);
  for (const StagePlan& stage : plan.stages) EXPECT_FALSE(stage.is_low_memory);
  EXPECT_EQ(holding(plan, 3, kPrior), Holding::kWhole);
  EXPECT_EQ(holding(plan, 3, kOther), Holding::kFreed);
  EXPECT_EQ(holding(plan_memory(needs(), kAll + 900 + 2460), 3, kOther), Holding::kWhole);
}

TEST(MemoryPlan, WorksInBandsRatherThanLoadAgain) {
  const MemoryPlan plan = plan_memory(needs(), kAll + 899);
  EXPECT_TRUE(plan.holds_everything);
  EXPECT_TRUE(plan.stages[3].is_low_memory);
  EXPECT_FALSE(plan.stages[2].is_low_memory);
  EXPECT_EQ(plan.peak(), kAll + 400);
}

TEST(MemoryPlan, TakesSmallTilesRatherThanNone) {
  MemoryNeeds tiled = needs();
  StageMemory& decoding = tiled.stages[3];
  decoding.small_tiles_work = 600;
  const MemoryPlan small = plan_memory(tiled, kAll + 600);
  EXPECT_TRUE(small.stages[3].has_small_tiles);
  EXPECT_FALSE(small.stages[3].is_low_memory);
  EXPECT_EQ(small.peak(), kAll + 600);
  const MemoryPlan low_memory = plan_memory(tiled, kAll + 599);
  EXPECT_FALSE(low_memory.stages[3].has_small_tiles);
  EXPECT_TRUE(low_memory.stages[3].is_low_memory);
  EXPECT_FALSE(plan_memory(tiled, kAll + 900).stages[3].has_small_tiles);
  EXPECT_EQ(describe_stages(small, tiled)[3].substr(0, 9), "decoding ");
  EXPECT_TRUE(describe_stages(small, tiled)[3].ends_with(" in small tiles"));
  // Of weights they may save more than the work takes.
  tiled.stages[2].work = 900;
  tiled.stages[2].least_work = -1000;
  tiled.stages[2].small_tiles_work = -500;
  tiled.stages[2].repeats = true;
  EXPECT_TRUE(plan_memory(tiled, 300 + 2460 - 500).stages[2].has_small_tiles);
  EXPECT_EQ(plan_memory(tiled, 300 + 2460 - 500).stages[2].peak, 300 + 2460 - 500);
}

TEST(MemoryPlan, FreesOthersRatherThanRepeatSlowly) {
  MemoryNeeds long_work = needs();
  StageMemory& denoising = long_work.stages[2];
  denoising.work = 1000;
  EXPECT_TRUE(plan_memory(long_work, kAll + 999).stages[2].is_low_memory);
  denoising.repeats = true;
  const MemoryPlan plan = plan_memory(long_work, kAll + 999);
  EXPECT_FALSE(plan.stages[2].is_low_memory);
  EXPECT_EQ(holding(plan, 2, kPrior), Holding::kFreed);
  EXPECT_EQ(holding(plan, 2, kTexts), Holding::kWhole);
  EXPECT_FALSE(plan.holds_everything);
  EXPECT_TRUE(plan_memory(long_work, 300 + 2460 + 999).stages[2].is_low_memory)
      << "alone it is too much";
}

TEST(MemoryPlan, FreesWhatDoesNotFitBesideAStage) {
  const MemoryPlan plan = plan_memory(needs(), kAll + 399);
  EXPECT_FALSE(plan.holds_everything);
  EXPECT_LE(plan.peak(), kAll + 399);
  // By worth: the prior is the last to stay.
  EXPECT_EQ(holding(plan, 3, kPrior), Holding::kFreed);
  EXPECT_EQ(holding(plan, 3, kUNet), Holding::kWhole);
  EXPECT_EQ(holding(plan, 3, kTexts), Holding::kWhole);
  EXPECT_FALSE(plan.stages[3].is_low_memory) << "alone there is room for full speed";
}

TEST(MemoryPlan, TheFirstJobDoesNotYetHoldWhatItsLaterStagesLoad) {
  const MemoryPlan first = plan_memory(needs(), kAll + 900);
  EXPECT_EQ(first.stages[0].peak_of_job, 300 + 850 + 100);
  EXPECT_EQ(first.stages[1].peak_of_job, 300 + 850 + 2040 + 100);
  EXPECT_EQ(first.stages[2].peak_of_job, 300 + 850 + 2040 + 2460 + 300);
  EXPECT_EQ(first.peak_of_job(), first.peak());
  MemoryNeeds warm = needs();
  for (ComponentMemory& component : warm.components) component.is_loaded = true;
  for (const StagePlan& stage : plan_memory(warm, kAll + 900).stages)
    EXPECT_EQ(stage.peak_of_job, stage.peak);
  // 2460 MB fit beside either of movq, which denoising does not need yet, or the texts.
  const int64_t budget = 300 + 2460 + 300 + 850;
  const MemoryPlan tight = plan_memory(needs(), budget);
  EXPECT_EQ(tight.stages[2].peak, 300 + 2460 + 300 + 140);
  EXPECT_EQ(tight.stages[2].peak_of_job, 300 + 2460 + 300);
  // The prior's stage has room for movq and the UNet beside it, and frees the texts.
  const MemoryPlan freeing = plan_memory(needs(), 300 + 2040 + 100 + 2460 + 140);
  EXPECT_EQ(holding(freeing, 1, kTexts), Holding::kFreed);
  EXPECT_EQ(holding(freeing, 2, kTexts), Holding::kWhole);
  EXPECT_EQ(freeing.stages[2].peak, 300 + 2460 + 300 + 140 + 850);
  EXPECT_EQ(freeing.stages[2].peak_of_job, 300 + 2460 + 300);
}

TEST(MemoryPlan, HoldsOneStageAtATime) {
  const MemoryPlan plan = plan_memory(needs(), 300 + 2460 + 300);
  EXPECT_EQ(holding(plan, 2, kUNet), Holding::kWhole);
  for (const Index other : {kMovq, kTexts, kPrior, kOther})
    EXPECT_EQ(holding(plan, 2, other), Holding::kFreed);
  EXPECT_EQ(holding(plan, 0, kUNet), Holding::kFreed);
  EXPECT_EQ(holding(plan, 0, kMovq), Holding::kWhole);
  EXPECT_EQ(plan.stages[2].peak, 300 + 2460 + 300);
}

TEST(MemoryPlan, StreamsAStageThatDoesNotFitAlone) {
  const MemoryPlan plan = plan_memory(needs(), 300 + 2460 + 299);
  EXPECT_EQ(holding(plan, 2, kUNet), Holding::kStreamed);
  EXPECT_EQ(holding(plan, 1, kPrior), Holding::kWhole);
  EXPECT_EQ(holding(plan, 3, kUNet), Holding::kFreed);
  EXPECT_LE(plan.peak(), 300 + 2460 + 299);
}

TEST(MemoryPlan, TakesTheSmallestBudgetAndNamesIt) {
  constexpr int64_t kLeast = 300 + 850 + 100;
  EXPECT_EQ(least_budget(needs()), kLeast);
  const MemoryPlan plan = plan_memory(needs(), kLeast);
  EXPECT_EQ(plan.peak(), kLeast);
  EXPECT_EQ(holding(plan, 1, kPrior), Holding::kStreamed);
  EXPECT_TRUE(plan.stages[3].is_low_memory);
  MemoryNeeds real = needs();
  for (ComponentMemory& component : real.components) {
    component.whole *= 1'000'000;
    component.streamed *= 1'000'000;
  }
  test::expect_error(ErrorCode::kOutOfMemory, "needs 850 MB of memory at least",
                     [&] { plan_memory(real, 849'000'000); });
}

TEST(MemoryPlan, KeepsEveryStageWithinAnyBudget) {
  MemoryNeeds needed = needs();
  needed.stages[2].work = 1000;
  needed.stages[2].repeats = true;
  needed.stages[2].small_tiles_work = 600;
  needed.stages[2].most_at_once = 4;
  needed.stages[2].another_work = 70;
  for (int64_t budget = least_budget(needed); budget < kAll + 4000; budget += 7) {
    const MemoryPlan plan = plan_memory(needed, budget);
    for (size_t i = 0; i < plan.stages.size(); ++i) {
      const StageMemory& stage = needed.stages[i];
      const StagePlan& planned = plan.stages[i];
      ASSERT_FALSE(planned.is_low_memory && planned.has_small_tiles) << stage.name;
      int64_t bytes = needed.base + (planned.is_low_memory     ? stage.least_work
                                     : planned.has_small_tiles ? *stage.small_tiles_work
                                                               : stage.work);
      ASSERT_GE(planned.at_once, 1) << stage.name;
      ASSERT_LE(planned.at_once, stage.most_at_once) << stage.name;
      bytes += (planned.at_once - 1) * stage.another_work;
      for (size_t c = 0; c < plan.stages[i].holdings.size(); ++c)
        bytes += size_of(needed.components[c], plan.stages[i].holdings[c]);
      ASSERT_LE(bytes, budget) << stage.name;
      for (const size_t own : stage.components)
        ASSERT_NE(plan.stages[i].holdings[own], Holding::kFreed) << stage.name;
    }
  }
}

TEST(MemoryPlan, StreamsOnlyAsManyComponentsAsItMust) {
  const MemoryNeeds two{.components = {{"a", 100, 10}, {"b", 500, 50}},
                        .stages = {{"both", {0, 1}, 10, 10}},
                        .base = 0};
  const MemoryPlan plan = plan_memory(two, 160);
  EXPECT_EQ(plan.stages[0].holdings, (std::vector{Holding::kWhole, Holding::kStreamed}));
  EXPECT_EQ(plan_memory(two, 159).stages[0].holdings,
            (std::vector{Holding::kStreamed, Holding::kStreamed}));
}

TEST(MemoryPlan, WorksOnAsManyImagesAtOnceAsThereIsRoomForBesideAllElse) {
  MemoryNeeds batch = needs();
  batch.stages[2].most_at_once = 4;
  batch.stages[2].another_work = 500;
  const auto at_once = [&](int64_t more) {
    return plan_memory(batch, kAll + 300 + more).stages[2].at_once;
  };
  EXPECT_EQ(plan_memory(needs(), kAll + 4000).stages[2].at_once, 1);
  EXPECT_EQ(at_once(499), 1);
  EXPECT_EQ(at_once(500), 2);
  EXPECT_EQ(at_once(1499), 3);
  EXPECT_EQ(at_once(1500), 4);
  EXPECT_EQ(at_once(9000), 4);
  EXPECT_EQ(plan_memory(batch, kAll + 300 + 1499).stages[2].peak, kAll + 300 + 1000);
  EXPECT_EQ(least_budget(batch), least_budget(needs()));
  // Room that a streamed network leaves is not for more of its reading.
  const MemoryPlan streamed = plan_memory(batch, 300 + 2460 + 299);
  EXPECT_EQ(holding(streamed, 2, kUNet), Holding::kStreamed);
  EXPECT_EQ(streamed.stages[2].at_once, 1);
  // Unless it is read once for all.
  batch.stages[2].at_once_shares_reads = true;
  batch.stages[2].another_work = 250;
  EXPECT_EQ(plan_memory(batch, 300 + 2460 + 299).stages[2].at_once, 4);
}

TEST(MemoryPlan, IsToldInWords) {
  MemoryNeeds real = needs();
  real.base *= 1'000'000;
  for (ComponentMemory& component : real.components) {
    component.whole *= 1'000'000;
    component.streamed *= 1'000'000;
  }
  for (StageMemory& stage : real.stages) {
    stage.work *= 1'000'000;
    stage.least_work *= 1'000'000;
  }
  const std::string text = describe(plan_memory(real, 1'300'000'000), real);
  EXPECT_EQ(
      text,
      "layers are read when they are needed, 1.25 GB at most (texts 1.25 GB, prior 740 MB "
      "layer by layer, denoising 1.14 GB layer by layer, decoding 840 MB in low-memory mode).");
  EXPECT_NE(describe(plan_memory(real, 9'000'000'000), real).find("everything stays loaded, 6.69"),
            std::string::npos);
}

TEST(MeasureComponent, CountsLayersOnceAndLeavesOutWhatIsNotLoaded) {
  const WeightLayout layout{.layers = {"resnets", "blocks"}, .unloaded = {"table."}};
  const ComponentMemory component = measure_component("unet",
                                                      {{"conv.weight", 10},
                                                       {"down.0.resnets.0.a.weight", 30},
                                                       {"down.0.resnets.0.b.weight", 20},
                                                       {"down.0.resnets.10.a.weight", 4},
                                                       {"down.0.resnets.2.a.weight", 30},
                                                       {"down.1.resnets.0.a.weight", 31},
                                                       {"blocks.1.weight", 7},
                                                       {"my_blocks.1.weight", 1},
                                                       {"table.weight", 1000}},
                                                      layout, {.element_size = 2});
  EXPECT_EQ(component.whole, 2 * (10 + 30 + 20 + 4 + 30 + 31 + 7 + 1));
  EXPECT_EQ(component.streamed, 2 * (10 + 1) + 2 * (30 + 20 + 2 * 30))
      << "what is no layer, and the largest layer with two more copies of its largest tensor";
}

TEST(MeasureComponent, CountsSplitConvolutionsUnlessStreamed) {
  std::vector<tensor::TensorSize> tensors{{"conv_in.weight", 900}};
  for (const char* level : {"0", "1", "2", "3"})
    tensors.push_back({std::string("up.") + level + ".upsamplers.0.conv.weight", 90});
  const WeightLayout layout{.layers = {"upsamplers"}, .split = {"upsamplers.0.conv.weight"}};
  EXPECT_EQ(measure_component("movq", tensors, layout, {.element_size = 2}).whole,
            2 * (900 + 4 * 90));
  const ComponentMemory split =
      measure_component("movq", tensors, layout, {.element_size = 2, .splits = true});
  EXPECT_EQ(split.whole, 2 * (900 + 4 * 160));
  EXPECT_EQ(split.streamed, 2 * (900 + 3 * 90));
}

tensor::TensorSize kernel_3x3(std::string name, int64_t in_channels, int64_t out_channels) {
  return {.name = std::move(name),
          .elements = 9 * in_channels * out_channels,
          .shape = {out_channels, in_channels, 3, 3}};
}

TEST(MeasureComponent, CountsTheSumsOfWinogradsFilteringUnlessStreamed) {
  const std::vector<tensor::TensorSize> tensors{kernel_3x3("conv_in.weight", 4, 128),
                                                kernel_3x3("resnets.0.conv1.weight", 128, 128),
                                                kernel_3x3("resnets.1.conv1.weight", 128, 1536),
                                                kernel_3x3("upsamplers.0.conv.weight", 128, 128)};
  WeightLayout layout{.layers = {"resnets", "upsamplers"}, .split = {"upsamplers.0.conv.weight"}};
  constexpr int64_t kOne = int64_t{2} * 128 * 128;  // a channel pair's kernel value, in bytes
  const int64_t plain = measure_component("m", tensors, layout, {.element_size = 2}).whole;
  const WeightForm form{.element_size = 2, .splits = true, .winograd = true};

  const ComponentMemory component = measure_component("m", tensors, layout, form);
  EXPECT_EQ(component.whole - plain, 27 * kOne) << "36 instead of 9 for the second; 9 for the last";
  EXPECT_EQ(component.spread, 27 * kOne);
  EXPECT_EQ(component.small_tiles_spread, 7 * kOne) << "16 for the second, the last as before";
  EXPECT_EQ(component.low_memory_spread, 0);
  EXPECT_TRUE(component.has_winograd);
  EXPECT_FALSE(measure_component("m", tensors, layout, {.splits = true}).has_winograd);

  layout.keeps_splits = true;
  EXPECT_EQ(measure_component("m", tensors, layout, form).low_memory_spread, 7 * kOne)
      << "while memory is saved the last one is split: 16 again";
}

TEST(MeasureComponent, CountsMatricesInInt8UnlessStreamed) {
  const std::vector<tensor::TensorSize> tensors{
      {.name = "layers.0.weight", .elements = 100, .shape = {10, 10}},
      {.name = "layers.0.bias", .elements = 10},
      {.name = "layers.1.weight", .elements = 100, .shape = {10, 10}}};
  const ComponentMemory component = measure_component("prior", tensors, {.layers = {"layers"}},
                                                      {.element_size = 4, .int8_weights = true});
  EXPECT_EQ(component.whole, 100 + 40 + 100);
  EXPECT_EQ(component.streamed, component.whole) << "a layer and two copies are more than that";
}

TEST(MeasureComponent, WithoutLayersItCannotBeStreamed) {
  const ComponentMemory component = measure_component("movq", {{"a", 3}, {"b", 4}}, {}, {});
  EXPECT_EQ(component.whole, 28);
  EXPECT_EQ(component.streamed, 28);
}

}  // namespace
}  // namespace kandinsky::pipelines
