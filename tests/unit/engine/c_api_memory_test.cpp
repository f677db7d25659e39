/// Memory plans and threads, through the C interface.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kandinsky.hpp"

namespace {

using kandinsky::Engine;
using kandinsky::StatusError;
using testing::HasSubstr;

const std::string kModel = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1";
constexpr int32_t kSide = 64;
/// What this machine has free at the time is not to matter.
constexpr uint64_t kPlenty = uint64_t{1} << 50U;

std::unique_ptr<Engine> open(uint64_t max_memory, const std::string& without = {}) {
  return std::make_unique<Engine>(kandinsky::EngineOptions{.model_dir = kModel,
                                                           .device = "cpu",
                                                           .precision = "fp32",
                                                           .max_memory = max_memory,
                                                           .without = without});
}

std::vector<uint8_t> paint(Engine& engine) {
  kandinsky::PromptOptions prompts;
  prompts.prompts = {"a cat"};
  prompts.seeds = {1};
  prompts.prior_num_inference_steps = 2;
  kandinsky::DenoiseOptions denoise;
  denoise.width = denoise.height = kSide;
  denoise.seeds = {1};
  denoise.num_inference_steps = 2;
  return engine.text_to_image(prompts, denoise);
}

int difference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  EXPECT_EQ(a.size(), b.size());
  int largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

template <typename Job>
std::string refusal(const Job& job) {
  try {
    job();
  } catch (const StatusError& error) {
    EXPECT_EQ(error.status(), KANDINSKY_OUT_OF_MEMORY);
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return "";
}

TEST(CMemory, WithPlentyEverythingStaysLoaded) {
  const auto engine = open(kPlenty);
  const kandinsky_memory_plan plan = engine->plan_memory(kSide, kSide);
  EXPECT_EQ(plan.holds_everything, 1);
  EXPECT_GE(plan.budget, plan.peak);
  EXPECT_GE(plan.peak, plan.least);
  EXPECT_THAT(plan.text, HasSubstr("everything stays loaded"));
}

TEST(CMemory, LargerPicturesAndBatchesNeedMore) {
  const auto engine = open(kPlenty);
  const uint64_t least = engine->plan_memory(kSide, kSide).least;
  EXPECT_GT(engine->plan_memory(2048, 2048).least, least);
  EXPECT_GT(engine->plan_memory(2048, 2048, 8).least, engine->plan_memory(2048, 2048).least);
}

TEST(CMemory, TheSmallestBudgetPaintsTheSamePictureAndSaysItsPlan) {
  const auto free = open(kPlenty);
  const uint64_t least = free->plan_memory(kSide, kSide).least;
  const auto tight = open(least);
  std::vector<std::string> said;
  tight->set_message([&](const char* message) { said.emplace_back(message); });
  // Packed weights and split convolutions, which are left out then, round differently.
  for (int run = 0; run < 2; ++run) EXPECT_LE(difference(paint(*tight), paint(*free)), 1);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_THAT(said[0], HasSubstr("Memory within"));
}

TEST(CMemory, TheSmallestBudgetChangesNoBitWhereWeightsAreLaidOutAlike) {
  const std::string without = "packed-weights,split-upsampling";
  const auto free = open(kPlenty, without);
  const auto tight = open(free->plan_memory(kSide, kSide).least, without);
  EXPECT_EQ(paint(*tight), paint(*free));
}

TEST(CMemory, OneByteLessIsRefusedBeforeAnyWork) {
  const uint64_t least = open(kPlenty)->plan_memory(kSide, kSide).least;
  const auto engine = open(least - 1);
  bool has_worked = false;
  engine->set_progress([&](const kandinsky_progress&) {
    has_worked = true;
    return KANDINSKY_CONTINUE;
  });
  for (const std::string& message :
       {refusal([&] { paint(*engine); }), refusal([&] { engine->plan_memory(kSide, kSide); })}) {
    EXPECT_THAT(message, HasSubstr("at least"));
  }
  EXPECT_FALSE(has_worked);
}

TEST(CMemory, PlansTellBadSizes) {
  const auto engine = open(kPlenty);
  EXPECT_THROW(engine->plan_memory(0, 64), StatusError);
  EXPECT_THROW(engine->plan_memory(64, 1 << 20), StatusError);
  EXPECT_THROW(engine->plan_memory(64, 64, 0), StatusError);
  EXPECT_EQ(kandinsky_engine_plan_memory(nullptr, 64, 64, 1, nullptr), KANDINSKY_INVALID_ARGUMENT);
}

TEST(CMemory, AnOlderProgramsOptionsHaveNoLimit) {
  kandinsky_engine_options options;
  kandinsky_engine_options_init(&options);
  options.model_dir = kModel.c_str();
  options.max_memory = 1;
  options.struct_size = offsetof(kandinsky_engine_options, max_memory);
  kandinsky_engine* engine = nullptr;
  ASSERT_EQ(kandinsky_engine_open(&options, &engine), KANDINSKY_OK) << kandinsky_last_error();
  kandinsky_memory_plan plan;
  kandinsky_memory_plan_init(&plan);
  EXPECT_EQ(kandinsky_engine_plan_memory(engine, kSide, kSide, 1, &plan), KANDINSKY_OK)
      << kandinsky_last_error();
  EXPECT_GT(plan.budget, 1);
  kandinsky_engine_free(engine);
}

TEST(CThreads, TakesOneToAThousand) {
  EXPECT_EQ(kandinsky_set_num_threads(0), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(kandinsky_last_error(), HasSubstr("1 to 1024"));
  EXPECT_EQ(kandinsky_set_num_threads(1025), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_set_num_threads(1), KANDINSKY_OK);
}

}  // namespace
