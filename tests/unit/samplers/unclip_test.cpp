#include "samplers/unclip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace kandinsky::samplers {
namespace {

UnclipSchedule prior_schedule() {
  return UnclipSchedule::from_json(io::JsonConfig::parse(R"({"clip_sample_range": 10.0})", "test"));
}

TEST(UnclipTest, TablesEqualTheReference) {
  const UnclipSchedule schedule = prior_schedule();
  EXPECT_FLOAT_EQ(schedule.alphas_cumprod[0], 0.999958694F);
  EXPECT_FLOAT_EQ(schedule.alphas_cumprod[500], 0.492285043F);
  EXPECT_FLOAT_EQ(schedule.alphas_cumprod[999], 2.42873499e-09F);
  EXPECT_FLOAT_EQ(schedule.betas[0], 4.12842237e-05F);
  EXPECT_FLOAT_EQ(schedule.betas[999], 0.999000013F);
}

TEST(UnclipTest, TimestepsReachFromTheLastToTheFirst) {
  const UnclipSchedule schedule = prior_schedule();
  EXPECT_THAT(unclip_timesteps(schedule, 2), testing::ElementsAre(999, 0));
  EXPECT_THAT(unclip_timesteps(schedule, 5), testing::ElementsAre(999, 749, 500, 250, 0));
  EXPECT_THAT(unclip_timesteps(schedule, 10),
              testing::ElementsAre(999, 888, 777, 666, 555, 444, 333, 222, 111, 0));
  EXPECT_EQ(unclip_timesteps(schedule, 1000).size(), 1000U);
  for (const int steps : {-5, 0, 1, 1001})
    EXPECT_THROW(unclip_timesteps(schedule, steps), Error) << steps;
}

}  // namespace
}  // namespace kandinsky::samplers
