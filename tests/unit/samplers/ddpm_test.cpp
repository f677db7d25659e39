#include <gtest/gtest.h>

#include "samplers/sampler.h"
#include "unit/samplers/support.h"

namespace kandinsky::samplers {
namespace {

using test::SamplerRun;

at::Tensor run_ddpm(DdpmConfig::Variance variance, const at::Tensor& predicted) {
  SamplerRun run{.steps = 20};
  run.variance = predicted;
  run.schedule.ddpm.variance = variance;
  return run.with(find_sampler("DDPM")).latents;
}

TEST(DdpmTest, LearnedVarianceLiesBetweenTheFixedOnes) {
  const auto learned = DdpmConfig::Variance::kLearnedRange;
  const at::Tensor small = run_ddpm(DdpmConfig::Variance::kFixedSmall, {});
  const at::Tensor large = run_ddpm(DdpmConfig::Variance::kFixedLarge, {});
  EXPECT_FALSE(at::allclose(small, large));
  EXPECT_TRUE(at::allclose(run_ddpm(learned, at::full({1, 1, 1, 1}, -1.0)), small, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(run_ddpm(learned, at::full({1, 1, 1, 1}, 1.0)), large, 1e-4, 1e-5));
}

TEST(DdpmTest, TakesTheSmallVarianceFromANetworkWithoutOne) {
  EXPECT_TRUE(at::equal(run_ddpm(DdpmConfig::Variance::kLearnedRange, {}),
                        run_ddpm(DdpmConfig::Variance::kFixedSmall, {})));
}

/// Clean latents as predicted from latents of 10 at next to no noise.
at::Tensor bounded(const DdpmConfig& config) {
  SamplerRun run{.steps = 1};
  run.start.noised_latents = at::linspace(-10, 10, 1024).view({1, 4, 16, 16});
  run.schedule.ddpm = config;
  return run.with(find_sampler("DDPM")).clean.front();
}

TEST(DdpmTest, BoundsCleanLatentsAsItsConfigSays) {
  const auto largest = [](const DdpmConfig& config) {
    return bounded(config).abs().max().item<double>();
  };
  EXPECT_DOUBLE_EQ(largest({}), 1.0);
  EXPECT_GT(largest({.dynamic_thresholding_ratio = 0.0}), 9.0);
  EXPECT_DOUBLE_EQ(largest({.dynamic_thresholding_ratio = 0.0, .clip_sample_range = 2.0}), 2.0);
  // The scale is bounded, so most of these are at the bound.
  const double at_bound = (bounded({}).abs() == 1.0).to(at::kDouble).mean().item<double>();
  EXPECT_GT(at_bound, 0.75);
  // Nearly none with a scale that may be as large as they are.
  const at::Tensor scaled = bounded({.sample_max_value = 100.0});
  EXPECT_LT((scaled.abs() == 1.0).to(at::kDouble).mean().item<double>(), 0.01);
}

/// The original code takes the bound of the first image for all of a batch.
TEST(DdpmTest, BoundsEachImageByItsOwnQuantile) {
  const at::Tensor quiet = at::linspace(-1.5, 1.5, 1024).view({1, 4, 16, 16});
  const at::Tensor loud = at::linspace(-10, 10, 1024).view({1, 4, 16, 16});
  const auto clean = [](const std::vector<uint64_t>& seeds, const at::Tensor& noised) {
    SamplerRun run{.seeds = seeds, .steps = 1};
    run.start.noised_latents = noised;
    return run.with(find_sampler("DDPM")).clean.front();
  };
  const at::Tensor together = clean({1, 2}, at::cat({loud, quiet}));
  EXPECT_TRUE(at::equal(together[0], clean({1}, loud)[0]));
  EXPECT_TRUE(at::equal(together[1], clean({2}, quiet)[0]));
}

}  // namespace
}  // namespace kandinsky::samplers
