/// Where the steps of schedulers and samplers stand.

#include "samplers/levels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "samplers/beta_distribution.h"
#include "samplers/schedulers.h"
#include "unit/samplers/support.h"
#include "unit/support.h"

namespace kandinsky::samplers {
namespace {

using test::decoder_schedule;
using test::expect_error;

std::vector<double> timesteps(const Levels& levels) {
  std::vector<double> result;
  for (size_t i = 0; i + 1 < levels.size(); ++i) result.push_back(levels[i].timestep);
  return result;
}

void expect_sigmas(const Levels& levels, const std::vector<double>& expected) {
  ASSERT_EQ(levels.size(), expected.size());
  for (size_t i = 0; i < levels.size(); ++i)
    EXPECT_NEAR(levels[i].sigma, expected[i], 1e-5 * expected[i]) << i;
}

std::vector<double> own_timesteps(const char* sampler, int steps) {
  return timesteps(find_sampler(sampler).levels(decoder_schedule(), steps));
}

/// Not Stable Diffusion's, whose noisiest level is 14.61.
TEST(SchedulersTest, ReachFromTheTablesNoisiestLevelToTheClean) {
  const NoiseSchedule schedule = decoder_schedule();
  for (const Scheduler& scheduler : schedulers()) {
    if (scheduler.levels == nullptr) continue;
    const std::string_view name = scheduler.name;
    const int most = name == "DDIM" ? 999 : name == "Simple" ? 1000 : 1001;
    EXPECT_THROW(scheduler.levels(schedule, most + 1), Error) << name;
    for (const int steps : {1, 2, 3, 10, 150, 999, 1000, 1001}) {
      if (steps > most) continue;
      const Levels levels = scheduler.levels(schedule, steps);
      ASSERT_EQ(levels.size(), static_cast<size_t>(steps) + 1) << scheduler.name;
      if (name != "DDIM") {
        EXPECT_NEAR(levels.front().sigma, 25.1461163, 1e-5) << name;
        EXPECT_NEAR(levels.front().timestep, 999.0, 1e-6) << name;
      }
      if (name == "KL Optimal") {
        EXPECT_NEAR(levels.back().sigma, 0.0291675, 1e-6);
        continue;
      }
      EXPECT_EQ(levels.back().sigma, 0.0) << name;
      EXPECT_EQ(levels.back().alpha_prod, 1.0) << name;
      if (steps > 1 && name != "SGM Uniform" && name != "Simple" && name != "DDIM") {
        EXPECT_NEAR(levels[levels.size() - 2].sigma, 0.0291675, 1e-6) << name << steps;
      }
      for (size_t i = 0; i + 1 < levels.size(); ++i) {
        EXPECT_LT(levels[i + 1].sigma, levels[i].sigma) << name << " " << steps << " " << i;
        EXPECT_NEAR(levels[i].alpha_prod, schedule.alpha_cumprod_at(levels[i].timestep), 1e-9);
      }
    }
  }
}

/// Values of the spacings in the literature's own code.
TEST(SchedulersTest, HaveTheKnownLevels) {
  const NoiseSchedule schedule = decoder_schedule();
  expect_sigmas(karras_levels(schedule, 10),
                {25.1461163, 15.266870, 8.920476, 4.984371, 2.641760, 1.314167, 0.6050327,
                 0.2528526, 0.09330752, 0.02916753, 0.0});
  const std::vector<double> karras = timesteps(karras_levels(schedule, 10));
  EXPECT_NEAR(karras[1], 913.1472, 1e-3);
  EXPECT_NEAR(karras[4], 537.3535, 1e-3);
  EXPECT_NEAR(karras[8], 8.6574, 1e-3);
  EXPECT_THAT(timesteps(uniform_levels(schedule, 10)),
              testing::Pointwise(testing::DoubleNear(1e-9),
                                 {999, 888, 777, 666, 555, 444, 333, 222, 111, 0}));
  EXPECT_THAT(timesteps(sgm_uniform_levels(schedule, 10)),
              testing::Pointwise(testing::DoubleNear(1e-9), {999.0, 899.1, 799.2, 699.3, 599.4,
                                                             499.5, 399.6, 299.7, 199.8, 99.9}));
  EXPECT_THAT(timesteps(simple_levels(schedule, 10)),
              testing::Pointwise(testing::DoubleNear(1e-6),
                                 {999, 899, 799, 699, 599, 499, 399, 299, 199, 99}));
  EXPECT_THAT(timesteps(simple_levels(schedule, 3)),
              testing::Pointwise(testing::DoubleNear(1e-6), {999, 666, 333}));
  EXPECT_THAT(timesteps(ddim_uniform_levels(schedule, 10)),
              testing::Pointwise(testing::DoubleNear(1e-6),
                                 {901, 801, 701, 601, 501, 401, 301, 201, 101, 1}));
  EXPECT_THAT(timesteps(ddim_uniform_levels(schedule, 3)),
              testing::Pointwise(testing::DoubleNear(1e-6), {667, 334, 1}));
  const Levels kl = kl_optimal_levels(schedule, 4);
  for (int i = 0; i <= 4; ++i) {
    const double angle = std::lerp(std::atan(25.1461163), std::atan(0.0291675348), i / 4.0);
    EXPECT_NEAR(kl[static_cast<size_t>(i)].sigma, std::tan(angle), 1e-4) << i;
  }
  // Eleven levels are the published ones themselves.
  expect_sigmas(align_your_steps_levels(schedule, 11),
                {25.1461163, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152,
                 0.0291675348, 0.0});
  const Levels twenty_one = align_your_steps_levels(schedule, 21);
  EXPECT_NEAR(twenty_one[3].sigma, std::sqrt(6.475 * 3.861), 1e-6);
  EXPECT_NEAR(twenty_one[4].sigma, 3.861, 1e-6);
  const Levels exponential = exponential_levels(schedule, 3);
  EXPECT_NEAR(exponential[1].sigma, std::sqrt(25.1461163 * 0.0291675348), 1e-6);
}

TEST(SchedulersTest, FindsByNameInAnyCaseAndListsTheKnownOnes) {
  EXPECT_STREQ(schedulers().front().name, "Automatic");
  EXPECT_STREQ(find_scheduler("sgm uniform").name, "SGM Uniform");
  for (const Scheduler& scheduler : schedulers())
    EXPECT_EQ(&find_scheduler(scheduler.name), &scheduler);
  expect_error(ErrorCode::kInvalidArgument,
               "Automatic, Uniform, Karras, Exponential, Polyexponential, SGM Uniform, Beta, KL "
               "Optimal, Align Your Steps, Simple, Normal, DDIM, Optimized",
               [] { find_scheduler("Turbo"); });
}

TEST(SchedulersTest, HaveNoLevelsForNoSteps) {
  for (const Scheduler& scheduler : schedulers()) {
    if (scheduler.levels == nullptr) continue;
    EXPECT_THROW(scheduler.levels(decoder_schedule(), 0), Error) << scheduler.name;
  }
}

TEST(SamplerLevelsTest, DdimIsEvenlySpacedWithOffsetAndEndsAtTheFirstLevel) {
  EXPECT_THAT(own_timesteps("DDIM", 1), testing::ElementsAre(1));
  EXPECT_THAT(own_timesteps("DDIM", 3), testing::ElementsAre(667, 334, 1));
  EXPECT_EQ(own_timesteps("DDIM", 100).front(), 991);
  EXPECT_EQ(own_timesteps("DDIM", 30).front(), 958);
  EXPECT_EQ(own_timesteps("DDIM", 999).front(), 999);
  const NoiseSchedule schedule = decoder_schedule();
  for (const int steps : {1, 100, 999}) {
    EXPECT_FLOAT_EQ(
        static_cast<float>(find_sampler("DDIM").levels(schedule, steps).back().alpha_prod),
        schedule.alphas_cumprod[0]);
  }
}

TEST(SamplerLevelsTest, DdpmIsEvenlySpacedFromNoNoise) {
  EXPECT_THAT(own_timesteps("DDPM", 1), testing::ElementsAre(0));
  EXPECT_THAT(own_timesteps("DDPM", 4), testing::ElementsAre(750, 500, 250, 0));
  EXPECT_EQ(own_timesteps("DDPM", 1000).front(), 999);
}

TEST(SamplerLevelsTest, UnipcRoundsToTheTableAndLeavesOutTheLast) {
  EXPECT_THAT(own_timesteps("UniPC", 10),
              testing::ElementsAre(999, 899, 799, 699, 599, 500, 400, 300, 200, 100));
  EXPECT_THAT(own_timesteps("UniPC", 1), testing::ElementsAre(999));
}

/// As the host has them: a level more, whose least noisy one is left out.
TEST(SamplerLevelsTest, SomeDiscardTheNextToLast) {
  const NoiseSchedule schedule = decoder_schedule();
  Levels expected = karras_levels(schedule, 11);
  expected.erase(expected.end() - 2);
  const Levels levels = find_sampler("DPM2").levels(schedule, 10);
  ASSERT_EQ(levels.size(), expected.size());
  for (size_t i = 0; i < levels.size(); ++i) EXPECT_EQ(levels[i].sigma, expected[i].sigma);
  EXPECT_GT(levels[9].sigma, 0.05);
}

/// From the noisiest level down, for any number of steps; another schedule's are spread over its
/// range.
TEST(SamplerLevelsTest, OptimizedLevelsFallFromTheNoisiest) {
  NoiseSchedule other = decoder_schedule();
  other.alphas_cumprod.resize(500);
  for (const char* const name : {"Heun", "Euler", "DPM++ 2M"}) {
    for (const int steps : {1, 2, 3, 4, 5, 10, 19, 20, 21, 50, 1000}) {
      for (const NoiseSchedule& schedule : {decoder_schedule(), other}) {
        if (steps > schedule.num_train_timesteps()) continue;
        const Levels levels = find_sampler(name).levels(schedule, steps, "Optimized");
        ASSERT_EQ(levels.size(), static_cast<size_t>(steps) + 1);
        EXPECT_NEAR(levels.front().sigma, schedule.sigma_max(), 1e-9);
        for (size_t i = 0; i + 1 < levels.size(); ++i)
          EXPECT_GT(levels[i].sigma, levels[i + 1].sigma) << name << " " << steps << " " << i;
        EXPECT_GE(levels[levels.size() - 2].sigma, schedule.sigma_min() * 0.99);
      }
    }
  }
  const auto of = [](const char* name, int steps) {
    return find_sampler(name).levels(decoder_schedule(), steps, "Optimized");
  };
  EXPECT_NEAR(of("Euler", 6)[1].sigma, 7.72, 0.01);
  EXPECT_NEAR(of("DPM++ 2M", 6)[1].sigma, 5.93, 0.01);
  EXPECT_EQ(of("Heun", 6)[1].sigma, of("Euler", 6)[1].sigma) << "has no table of its own";
  EXPECT_NEAR(of("Euler", 39)[2].sigma, of("Euler", 20)[1].sigma, 1e-9);
}

TEST(SamplerLevelsTest, SigmasStandInForTheScheduler) {
  const NoiseSchedule schedule = decoder_schedule();
  const std::vector<double> sigmas{schedule.sigma_max(), 3.0, 0.5, 0.01};
  // Of one that leaves out a level of its scheduler's.
  const Levels levels = find_sampler("DPM2").levels(schedule, 4, "Karras", sigmas);
  ASSERT_EQ(levels.size(), 5U);
  for (size_t i = 0; i < sigmas.size(); ++i) EXPECT_EQ(levels[i].sigma, sigmas[i]);
  EXPECT_NEAR(levels[0].timestep, 999.0, 1e-6);
  EXPECT_NEAR(schedule.sigma(levels[1].timestep), 3.0, 1e-9);
  EXPECT_EQ(levels[3].timestep, 0.0) << "less noise than the table has";
  EXPECT_EQ(levels[4].sigma, 0.0);
}

TEST(SamplerLevelsTest, SigmasFallFromTheNoisiestToNextToNone) {
  const auto refused = [](const char* part, const std::vector<double>& sigmas, int steps) {
    expect_error(ErrorCode::kInvalidArgument, part, [&] {
      find_sampler("Euler").levels(decoder_schedule(), steps, "Automatic", sigmas);
    });
  };
  refused("sigmas has 26 as number 1; they must fall, from 25.15 at most", {26, 3}, 2);
  refused("sigmas has 3 as number 2", {3, 3}, 2);
  refused(
      "sigmas has 2.998 as number 2; they must fall, from 25.15 at most to 0.001 at least, "
      "each to 0.999 of the one before or less",
      {3, 2.998}, 2);
  refused("sigmas has 4 as number 2", {3, 4}, 2);
  refused("sigmas has 0.0009 as number 2", {3, 0.0009}, 2);
  refused("sigmas has -1 as number 2", {3, -1}, 2);
  refused("there are 2 sigmas for 3 steps", {3, 2}, 3);
}

TEST(SamplerLevelsTest, CheckStepsDependsOnTheScheduler) {
  const NoiseSchedule schedule = decoder_schedule();
  const Sampler& ddim = find_sampler("DDIM");
  EXPECT_THROW(ddim.check_steps(schedule, 1000), Error);
  EXPECT_NO_THROW(ddim.check_steps(schedule, 1000, "Uniform"));
  EXPECT_NO_THROW(ddim.check_steps(schedule, 999));
}

TEST(BetaDistributionTest, HasTheKnownQuantiles) {
  for (const double p : {0.0, 1e-6, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0}) {
    // Shape 1 is even, shape 1/2 the arcsine distribution.
    EXPECT_NEAR(symmetric_beta_quantile(p, 1.0), p, 1e-13);
    const double sine = std::sin(p * std::numbers::pi / 2.0);
    EXPECT_NEAR(symmetric_beta_quantile(p, 0.5), sine * sine, 1e-13);
    EXPECT_NEAR(symmetric_beta_quantile(p, 0.6) + symmetric_beta_quantile(1.0 - p, 0.6), 1.0,
                1e-13);
  }
}

}  // namespace
}  // namespace kandinsky::samplers
