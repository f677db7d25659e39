/// Memory plans and threads, through the C interface.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "engine/jobs.h"

namespace kandinsky::test {
namespace {

using testing::HasSubstr;

/// What this machine has free at the time is not to matter.
constexpr uint64_t kPlenty = uint64_t{1} << 50U;

std::unique_ptr<Engine> open(uint64_t max_memory, const Texts& without = {}) {
  return std::make_unique<Engine>(
      model_options().set("max_memory", max_memory).set("without", without));
}

int difference(const Pixels& a, const Pixels& b) {
  EXPECT_EQ(a.size(), b.size());
  int largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(CMemory, WithPlentyEverythingStaysLoaded) {
  const auto engine = open(kPlenty);
  const kandinsky_memory_plan plan = engine->plan_memory(kSide, kSide);
  EXPECT_EQ(plan.holds_everything, 1);
  EXPECT_GE(plan.budget, plan.peak);
  EXPECT_GE(plan.peak, plan.least);
  EXPECT_THAT(plan.text, HasSubstr("everything stays loaded"));
}

TEST(CMemory, LargerImagesAndBatchesNeedMore) {
  const auto engine = open(kPlenty);
  const uint64_t least = engine->plan_memory(kSide, kSide).least;
  EXPECT_GT(engine->plan_memory(2048, 2048).least, least);
  EXPECT_GT(engine->plan_memory(2048, 2048, 8).least, engine->plan_memory(2048, 2048).least);
}

TEST(CMemory, TheSmallestBudgetGivesTheSameImageAndSaysItsPlan) {
  const auto free = open(kPlenty);
  const uint64_t least = free->plan_memory(kSide, kSide).least;
  const auto tight = open(least);
  std::vector<std::string> said;
  tight->set_message([&](const char* message) { said.emplace_back(message); });
  // Packed weights and split convolutions, which are left out then, round differently.
  for (int run = 0; run < 2; ++run)
    EXPECT_LE(difference(text_to_image(*tight), text_to_image(*free)), 1);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_THAT(said[0], HasSubstr("Memory within"));
}

TEST(CMemory, TheSmallestBudgetChangesNoBitWhereWeightsAreLaidOutAlike) {
  const Texts without{"packed-weights", "split-upsampling"};
  const auto free = open(kPlenty, without);
  const auto tight = open(free->plan_memory(kSide, kSide).least, without);
  EXPECT_EQ(text_to_image(*tight), text_to_image(*free));
}

TEST(CMemory, OneByteLessIsRefusedBeforeAnyWork) {
  const uint64_t least = open(kPlenty)->plan_memory(kSide, kSide).least;
  const auto engine = open(least - 1);
  bool has_worked = false;
  engine->set_progress([&](const kandinsky_progress&) {
    has_worked = true;
    return KANDINSKY_CONTINUE;
  });
  const auto refused = [](const std::function<void()>& call) {
    std::string message;
    EXPECT_EQ(status_of(call, &message), KANDINSKY_OUT_OF_MEMORY);
    EXPECT_THAT(message, HasSubstr("at least"));
  };
  refused([&] { text_to_image(*engine); });
  refused([&] { engine->plan_memory(kSide, kSide); });
  EXPECT_FALSE(has_worked);
}

TEST(CMemory, PlansTellBadSizes) {
  const auto engine = open(kPlenty);
  EXPECT_THROW(engine->plan_memory(0, 64), StatusError);
  EXPECT_THROW(engine->plan_memory(64, 1 << 20), StatusError);
  EXPECT_THROW(engine->plan_memory(64, 64, 0), StatusError);
  EXPECT_EQ(kandinsky_engine_plan_memory(nullptr, 64, 64, 1, nullptr), KANDINSKY_INVALID_ARGUMENT);
}

TEST(CThreads, TakesOneToAThousand) {
  EXPECT_EQ(kandinsky_set_num_threads(0), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(kandinsky_last_error(), HasSubstr("1 to 1024"));
  EXPECT_EQ(kandinsky_set_num_threads(1025), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_set_num_threads(1), KANDINSKY_OK);
}

}  // namespace
}  // namespace kandinsky::test
