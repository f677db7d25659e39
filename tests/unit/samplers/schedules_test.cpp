#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "samplers/ddim.h"
#include "samplers/unclip.h"
#include "unit/samplers/support.h"

namespace kandinsky::samplers {
namespace {

using test::decoder_schedule;

UnclipSchedule prior_schedule() {
  return UnclipSchedule::from_json(io::JsonConfig::parse(R"({"clip_sample_range": 10.0})", "test"));
}

TEST(DdimTest, TimestepsAreEvenlySpacedWithOffset) {
  const NoiseSchedule schedule = decoder_schedule();
  EXPECT_THAT(ddim_timesteps(schedule, 1), testing::ElementsAre(1));
  const auto hundred = ddim_timesteps(schedule, 100);
  EXPECT_EQ(hundred.size(), 100U);
  EXPECT_EQ(hundred.front(), 991);
  EXPECT_EQ(hundred.back(), 1);
  EXPECT_EQ(ddim_timesteps(schedule, 30).front(), 958);
  EXPECT_EQ(ddim_timesteps(schedule, 999).front(), 999);
}

TEST(DdimTest, RefusesStepsThatLeaveTheTable) {
  const NoiseSchedule schedule = decoder_schedule();
  for (const int steps : {-1, 0, 1000, 5000}) {
    EXPECT_THROW(ddim_timesteps(schedule, steps), Error) << steps;
  }
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

TEST(SamplerTableTest, FindsByNameInAnyCaseAndListsTheKnownOnes) {
  EXPECT_STREQ(find_sampler("ddim").name, "DDIM");
  for (const Sampler& sampler : samplers()) EXPECT_EQ(&find_sampler(sampler.name), &sampler);
  try {
    find_sampler("Euler z");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), testing::HasSubstr("DDIM"));
  }
}

}  // namespace
}  // namespace kandinsky::samplers
