#include "tensor/run_context.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <thread>

namespace kandinsky::tensor {
namespace {

RunScope check_with(const std::function<void()>& check) {
  return RunScope([&](RunContext& context) { context.check = check; });
}

TEST(RunContext, IsEmptyOutsideOfScopes) {
  EXPECT_EQ(run_context().arena, nullptr);
  EXPECT_EQ(run_context().filter_scratch, nullptr);
  EXPECT_FALSE(run_context().check);
  EXPECT_FALSE(run_context().low_memory);
  EXPECT_EQ(run_context().images_at_once, 1);
}

TEST(RunContext, AScopeChangesWhatItNamesAndPutsItBack) {
  const RunScope outer([](RunContext& context) { context.low_memory = true; });
  {
    const RunScope inner([](RunContext& context) { context.images_at_once = 4; });
    EXPECT_TRUE(run_context().low_memory);
    EXPECT_EQ(run_context().images_at_once, 4);
    std::thread([] { EXPECT_FALSE(run_context().low_memory); }).join();
  }
  EXPECT_TRUE(run_context().low_memory);
  EXPECT_EQ(run_context().images_at_once, 1);
}

TEST(RunContext, AChangeThatFailsChangesNothing) {
  const auto fail = [] {
    const RunScope scope([](RunContext& context) {
      context.low_memory = true;
      throw std::domain_error("mine");
    });
  };
  EXPECT_THROW(fail(), std::domain_error);
  EXPECT_FALSE(run_context().low_memory);
}

TEST(RunContext, TheInnermostCheckIsCalledAfterABlock) {
  int calls = 0;
  end_block();
  {
    const RunScope outer = check_with([&] { ++calls; });
    end_block();
    EXPECT_EQ(calls, 1);
    {
      const RunScope inner = check_with([&] { calls += 10; });
      end_block();
      EXPECT_EQ(calls, 11);
    }
    end_block();
    EXPECT_EQ(calls, 12);
  }
  end_block();
  EXPECT_EQ(calls, 12);
}

TEST(RunContext, WhatACheckThrowsComesOut) {
  {
    const RunScope scope = check_with([] { throw std::domain_error("mine"); });
    EXPECT_THROW(end_block(), std::domain_error);
  }
  EXPECT_NO_THROW(end_block());
}

}  // namespace
}  // namespace kandinsky::tensor
