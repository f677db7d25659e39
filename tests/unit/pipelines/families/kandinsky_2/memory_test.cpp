/// What the stages of a job take besides weights, in the model's true sizes.
#include "pipelines/families/kandinsky_2/memory.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/json_config.h"
#include "nn/prior/prior_transformer.h"
#include "pipelines/memory/memory_plan.h"

namespace kandinsky::pipelines {
namespace {

io::JsonConfig config(const std::string& folder) {
  return io::JsonConfig::load(std::string(KANDINSKY_TESTS_DIR) + "/support/configs/" + folder +
                              "/config.json");
}

class MemoryNeedsTest : public testing::Test {
 protected:
  /// The bytes of a stage's work, in bf16 at 512 pixels.
  int64_t work(const std::string& name, const JobOutline& changes) const {
    return stage(name, changes).work;
  }

  StageMemory stage(const std::string& name, const JobOutline& changes,
                    int64_t images_at_once = 1) const {
    JobOutline job = changes;
    job.encodes_texts = job.denoises = job.decodes = true;
    job.width = job.height = 512;
    const tensor::Placement placement{.dtype = at::kBFloat16};
    const ModelSizes sizes{.unet = unet_,
                           .movq = movq_,
                           .geometry = {.native_size = 768,
                                        .latent_channels = 4,
                                        .latent_factor = 8,
                                        .size_multiple = 64},
                           .prior_row_elements = prior_row_elements_,
                           .image_tokens = 10,
                           .images_at_once = images_at_once,
                           .prior_placement = placement,
                           .unet_placement = placement,
                           .movq_placement = placement};
    const MemoryNeeds needs = memory_needs(components_, {{0, 1}, 2, 3, 4, 5}, sizes, job);
    unet_bytes_ = needs.components[4].whole;
    for (const StageMemory& found : needs.stages)
      if (found.name == name) return found;
    ADD_FAILURE() << name;
    return {};
  }

  std::vector<ComponentMemory> components_ = std::vector<ComponentMemory>(6);
  mutable int64_t unet_bytes_ = 0;  ///< with its scratch
  nn::UNetConfig unet_ = nn::UNetConfig::from_json(config("kandinsky-2-1/unet"));
  nn::MovqConfig movq_ = nn::MovqConfig::from_json(config("kandinsky-2-1/movq"));
  int64_t prior_row_elements_ =
      nn::PriorTransformer::elements_of_a_row(config("kandinsky-2-1-prior/prior"));
};

// 25,728 channels of 22 attention units, keys and values.
constexpr int64_t kBytesOfAToken = int64_t{2} * 25'728 * 2;

TEST_F(MemoryNeedsTest, ABatchHoldsWhatGuidesItsImages) {
  const int64_t one = work("denoising", {});
  EXPECT_EQ(work("denoising", {.rows = 8, .negative_rows = 8}) - one, 14 * 87 * kBytesOfAToken);
  EXPECT_EQ(work("denoising", {.rows = 1, .negative_rows = 0}), one);
}

TEST_F(MemoryNeedsTest, AUNetKeepsTheScratchOfWinogradsMethod) {
  const int64_t work_without = work("denoising", {});
  EXPECT_EQ(unet_bytes_, 0);
  components_[4] = {.name = "unet",
                    .whole = 3000,
                    .spread = 1000,
                    .small_tiles_spread = 500,
                    .has_winograd = true};
  const StageMemory with = stage("denoising", {});
  EXPECT_EQ(with.work, work_without);
  EXPECT_EQ(unet_bytes_, 3000 + 140'000'000);
  EXPECT_EQ(with.work - *with.small_tiles_work, 500 + 70'000'000);
}

TEST_F(MemoryNeedsTest, RowsAreNoMoreThanAreKept) {
  // 1400 tokens of each side, and two rows in use.
  EXPECT_EQ(work("denoising", {.rows = 64, .negative_rows = 64}) - work("denoising", {}),
            (2 * (1400 + 2 * 87) - 2 * 87) * kBytesOfAToken);
  EXPECT_EQ(work("denoising", {.rows = 64, .negative_rows = 64}),
            work("denoising", {.rows = 1000, .negative_rows = 1000}));
  EXPECT_GT(work("denoising", {.text_tokens = 8 * 77}), work("denoising", {}));
}

TEST_F(MemoryNeedsTest, EachFurtherImageAtOnceHasMapsOfItsOwn) {
  for (const char* const name : {"denoising", "decoding"}) {
    EXPECT_EQ(stage(name, {.batch_size = 8}).most_at_once, 1) << name;
    const int64_t another = stage(name, {.batch_size = 8}, 2).another_work;
    EXPECT_GT(another, 150'000'000) << name;
    EXPECT_LT(another - work(name, {}), 60'000'000) << name;
    EXPECT_EQ(stage(name, {.batch_size = 8}, 4).another_work, another) << name;
    EXPECT_EQ(stage(name, {.batch_size = 8}, 4).most_at_once, 4) << name;
    EXPECT_EQ(stage(name, {.batch_size = 8}, 2).work, work(name, {.batch_size = 8})) << name;
  }
  EXPECT_EQ(stage("prior", {.batch_size = 8}, 4).most_at_once, 1);
}

TEST_F(MemoryNeedsTest, ThePriorRemembersAsManyPromptsAsThereIsRoomFor) {
  EXPECT_EQ(prior_row_elements_, int64_t{20} * 2 * 78 * 2048);
  const int64_t one = work("prior", {});
  EXPECT_EQ(work("prior", {.batch_size = 64, .rows = 64, .negative_rows = 64}), one);
  EXPECT_EQ(work("prior", {.prior_rows = 10}) - one, 7 * prior_row_elements_ * 2);
  const auto of_items = [&](int64_t items) {
    return stage("prior", {.prior_rows = 3, .prior_items = items});
  };
  EXPECT_EQ(of_items(1).most_at_once, 1);
  EXPECT_EQ(of_items(4).most_at_once, 4);
  EXPECT_EQ(of_items(64).most_at_once, 8);
  EXPECT_EQ(of_items(64).another_work, int64_t{3} * prior_row_elements_ * 2);
}

}  // namespace
}  // namespace kandinsky::pipelines
