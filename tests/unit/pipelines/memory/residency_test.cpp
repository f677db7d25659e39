#include "pipelines/memory/residency.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

struct FakeResident : Resident {
  Holding holding() const override { return held; }
  void unload() override { held = Holding::kFreed; }
  Holding held = Holding::kFreed;
};

/// Three components of 400 MB in a stage each; the first can be streamed in 50 MB.
class ResidencyTest : public testing::Test {
 protected:
  static constexpr int64_t kMegabyte = 1'000'000;

  ResidencyTest() {
    residency_.add(residents_[0], {"unet", 400 * kMegabyte, 50 * kMegabyte});
    residency_.add(residents_[1], {"texts", 400 * kMegabyte, 400 * kMegabyte});
    residency_.add(residents_[2], {"prior", 400 * kMegabyte, 400 * kMegabyte});
  }

  MemoryNeeds needs(int64_t unet_work = 100) const {
    return {.components = residency_.components(),
            .stages = {{"denoising", {0}, unet_work * kMegabyte, unet_work * kMegabyte},
                       {"texts", {1}, 0, 0},
                       {"prior", {2}, 0, 0}},
            .base = 0};
  }
  void enter(int64_t megabytes, int64_t unet_work = 100) {
    const Monitor monitor(cancel_, {},
                          [this](const std::string& message) { said_.push_back(message); });
    residency_.enter([this, unet_work] { return needs(unet_work); }, megabytes * kMegabyte,
                     monitor);
  }
  /// As a component does when it is asked for.
  void use(size_t index) {
    const bool streamed = residency_.make_room(index);
    residents_[index].held = streamed ? Holding::kStreamed : Holding::kWhole;
  }
  std::vector<Holding> held() const {
    return {residents_[0].held, residents_[1].held, residents_[2].held};
  }

  std::array<FakeResident, 3> residents_;
  Residency residency_;
  CancelFlag cancel_;
  std::vector<std::string> said_;
};

constexpr Holding kFreed = Holding::kFreed;
constexpr Holding kWhole = Holding::kWhole;
constexpr Holding kStreamed = Holding::kStreamed;

TEST_F(ResidencyTest, WithoutAPlanEverythingStays) {
  for (size_t i = 0; i < 3; ++i) use(i);
  EXPECT_EQ(held(), (std::vector{kWhole, kWhole, kWhole}));
}

TEST_F(ResidencyTest, WithRoomEverythingStaysAndNothingIsSaid) {
  enter(1300);
  for (size_t i = 0; i < 3; ++i) use(i);
  EXPECT_EQ(held(), (std::vector{kWhole, kWhole, kWhole}));
  EXPECT_TRUE(said_.empty());
}

TEST_F(ResidencyTest, FreesWhatDoesNotFitBeside) {
  enter(1000);
  use(0);
  use(1);
  EXPECT_EQ(held(), (std::vector{kWhole, kWhole, kFreed}));
  use(2);
  EXPECT_EQ(held(), (std::vector{kWhole, kFreed, kWhole})) << "the first ones are worth more";
  use(0);
  EXPECT_EQ(held(), (std::vector{kWhole, kFreed, kFreed})) << "it works with more than it holds";
}

TEST_F(ResidencyTest, HoldsOneAtATimeAndStreams) {
  enter(500);
  use(1);
  use(2);
  EXPECT_EQ(held(), (std::vector{kFreed, kFreed, kWhole}));
  use(0);
  EXPECT_EQ(held(), (std::vector{kWhole, kFreed, kFreed}));
  enter(499);
  use(0);
  EXPECT_EQ(held(), (std::vector{kStreamed, kFreed, kFreed}));
}

TEST_F(ResidencyTest, ALargerImageNeedsAnotherPlan) {
  enter(1300);
  for (size_t i = 0; i < 3; ++i) use(i);
  enter(1300, 500);
  use(0);
  EXPECT_EQ(held(), (std::vector{kWhole, kWhole, kFreed}));
}

TEST_F(ResidencyTest, APlanKnowsWhatIsLoaded) {
  const auto peak = [this] {
    return residency_.plan(needs(), 1300 * kMegabyte).stages[0].peak_of_job;
  };
  EXPECT_EQ(peak(), 500 * kMegabyte);
  use(1);
  EXPECT_EQ(peak(), 900 * kMegabyte);
  use(0);
  EXPECT_EQ(peak(), 900 * kMegabyte);
}

TEST_F(ResidencyTest, SaysAPlanOnce) {
  enter(500);
  enter(500);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_TRUE(said_[0].starts_with("Memory within 500 MB: parts are loaded when they are needed"))
      << said_[0];
  enter(499);
  EXPECT_EQ(said_.size(), 2U);
}

TEST_F(ResidencyTest, SaysThatAStageWorksSparingly) {
  const Monitor monitor(cancel_, {},
                        [this](const std::string& message) { said_.push_back(message); });
  const auto saves_memory = [this] {
    MemoryNeeds saving = needs(200);
    saving.stages[0].least_work = 50 * kMegabyte;
    return saving;
  };
  residency_.enter(saves_memory, 1300 * kMegabyte, monitor);
  ASSERT_EQ(said_.size(), 1U) << "in bf16 its images are others";
  EXPECT_NE(said_[0].find("everything stays loaded"), std::string::npos) << said_[0];
  EXPECT_NE(said_[0].find("low-memory mode"), std::string::npos) << said_[0];
}

TEST_F(ResidencyTest, ATooSmallBudgetChangesNothing) {
  enter(500);
  use(2);
  test::expect_error(ErrorCode::kOutOfMemory, "needs 400 MB of memory at least",
                     [&] { enter(399); });
  use(1);
  EXPECT_EQ(held(), (std::vector{kFreed, kWhole, kFreed})) << "the earlier plan is in force";
}

TEST_F(ResidencyTest, AComponentThatGrowsChangesThePlanAndItsStagesWork) {
  int64_t work = 100;
  const Monitor monitor(cancel_, {}, {});
  residency_.enter([&] { return needs(work); }, 1300 * kMegabyte, monitor);
  for (size_t i = 0; i < 3; ++i) use(i);
  EXPECT_EQ(held(), (std::vector{kWhole, kWhole, kWhole}));
  work = 200;
  residency_.resize(0, {"unet", 800 * kMegabyte, 50 * kMegabyte});
  use(0);
  EXPECT_EQ(held(), (std::vector{kWhole, kFreed, kFreed}));
  test::expect_error(ErrorCode::kOutOfMemory, "needs", [&] {
    residency_.resize(0, {"unet", 2000 * kMegabyte, 2000 * kMegabyte});
  });
}

TEST_F(ResidencyTest, WhatIsFreeIsEnoughForSmallThings) {
  enter(0, 0);
  EXPECT_TRUE(said_.empty());
}

}  // namespace
}  // namespace kandinsky::pipelines
