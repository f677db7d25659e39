/// What holds for every row of the table of samplers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "samplers/sampler.h"
#include "samplers/schedulers.h"
#include "unit/samplers/support.h"
#include "unit/support.h"

namespace kandinsky::samplers {
namespace {

using test::expect_error;
using test::SamplerRun;

SamplerStart from_clean(const at::Tensor& latents, int skipped_steps) {
  SamplerStart start;
  start.init_latents = latents;
  start.skipped_steps = skipped_steps;
  return start;
}

SamplerStart from_noised(const at::Tensor& latents, int skipped_steps) {
  SamplerStart start;
  start.noised_latents = latents;
  start.skipped_steps = skipped_steps;
  return start;
}

class EverySamplerTest : public testing::TestWithParam<const Sampler*> {
 protected:
  const Sampler& sampler() const { return *GetParam(); }
  bool is(std::string_view name) const { return sampler().name == name; }
};

std::vector<const Sampler*> every_sampler() {
  std::vector<const Sampler*> all;
  for (const Sampler& sampler : samplers()) all.push_back(&sampler);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Table, EverySamplerTest, testing::ValuesIn(every_sampler()),
                         [](const auto& test) {
                           std::string name = test.param->name;
                           std::replace(name.begin(), name.end(), '+', 'p');
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

/// The networks take latents of variance 1 whatever the noise. Latents of sigma space would be up
/// to 25 times as large; the reference's pipelines never scale them.
TEST_P(EverySamplerTest, HandsTheNetworkLatentsOfVarianceOne) {
  for (const Scheduler& scheduler : schedulers()) {
    SamplerRun run{.scheduler = scheduler.name};
    run.with(sampler());
    for (size_t call = 0; call < run.inputs.size(); ++call) {
      if (run.timesteps[call] < 300.0) continue;  // where it is the clean latents that matter
      const double deviation = run.inputs[call].std().item<double>();
      EXPECT_LT(deviation, 1.15) << scheduler.name << " call " << call;
      EXPECT_GT(deviation, 0.6) << scheduler.name << " call " << call;
    }
  }
}

/// With a perfect denoiser the end is distributed as what it was trained on.
TEST_P(EverySamplerTest, EndsAtTheDataWithEveryScheduler) {
  for (const Scheduler& scheduler : schedulers()) {
    SamplerRun run{.steps = 200, .scheduler = scheduler.name};
    run.with(sampler());
    EXPECT_NEAR(run.latents.mean().item<double>(), 0.1, 0.03) << scheduler.name;
    EXPECT_NEAR(run.latents.std().item<double>(), 0.2, 0.03) << scheduler.name;
  }
}

TEST_P(EverySamplerTest, EndsAtTheDataFromSkippedStepsAndAnyStart) {
  const at::Tensor clean = at::full({1, 4, 16, 16}, 0.1);
  for (const int skipped : {0, 7, 15, 38, 39}) {
    SamplerRun run{.steps = 40, .start = from_clean(clean, skipped)};
    run.with(sampler());
    EXPECT_EQ(run.clean.size(), static_cast<size_t>(40 - skipped));
    EXPECT_NEAR(run.latents.mean().item<double>(), 0.1, 0.03) << skipped;
    EXPECT_LT(run.latents.std().item<double>(), 0.23) << skipped;
    EXPECT_EQ(run.timesteps.front(),
              sampler().levels(run.schedule, 40)[static_cast<size_t>(skipped)].timestep);
  }
}

/// The latents that are handed in as noised are what the network sees first.
TEST_P(EverySamplerTest, TakesNoisedLatentsAsTheyAre) {
  const at::Tensor noised = at::linspace(-2, 2, 4 * 16 * 16).view({1, 4, 16, 16});
  SamplerRun run{.start = from_noised(noised, 4)};
  run.with(sampler());
  EXPECT_TRUE(at::allclose(run.inputs.front(), noised, 1e-6, 1e-6));
}

TEST_P(EverySamplerTest, NoisesCleanLatentsForTheFirstLevelThatIsLeft) {
  const at::Tensor clean = at::full({1, 4, 16, 16}, 3.0);
  SamplerRun run{.start = from_clean(clean, 6)};
  run.with(sampler());
  const double alpha = run.schedule.alpha_cumprod_at(run.timesteps.front());
  const at::Tensor noise = tensor::NoiseSource({1}).draw_all({4, 16, 16});
  EXPECT_TRUE(at::allclose(run.inputs.front(),
                           std::sqrt(alpha) * clean + std::sqrt(1.0 - alpha) * noise, 1e-5, 1e-5));
}

TEST_P(EverySamplerTest, TakesOneStep) {
  for (const Scheduler& scheduler : schedulers()) {
    SamplerRun run{.steps = 1, .scheduler = scheduler.name};
    run.with(sampler());
    const std::string_view name = scheduler.name;
    // The last step of KL Optimal does not end at the clean latents, so that it may need more.
    EXPECT_LE(run.inputs.size(), name == "KL Optimal" ? 2U : 1U) << name;
    ASSERT_EQ(run.clean.size(), 1U);
    EXPECT_TRUE(run.latents.isfinite().all().item<bool>()) << scheduler.name;
    // Of diffusers' own levels one step takes that of next to no noise.
    if (scheduler.sampler_levels != &Sampler::own_levels && name != "DDIM") {
      EXPECT_GT(run.timesteps.front(), 998.9) << scheduler.name;
    }
  }
}

/// As close together and as near to no noise as they may be; whatever DDPM's network predicts.
TEST_P(EverySamplerTest, StaysFiniteWithOddSigmas) {
  for (const double variance : {-1.0, 0.0, 1.0}) {
    SamplerRun run{.steps = 6, .sigmas = {25.0, 24.97, 2.0, 1.998, 0.0010012, 0.001}};
    run.variance = at::full({1, 1, 1, 1}, variance);
    EXPECT_TRUE(at::isfinite(run.with(sampler()).latents).all().item<bool>()) << variance;
  }
}

TEST_P(EverySamplerTest, TakesAsManyStepsAsTheTableHasOrNamesItsRange) {
  for (const Scheduler& scheduler : schedulers()) {
    SamplerRun run{.steps = 1000, .scheduler = scheduler.name, .shape = {4, 2, 2}};
    if (scheduler.sampler_levels == &Sampler::own_levels && (is("DDIM") || is("UniPC"))) {
      expect_error(ErrorCode::kInvalidArgument, "1 to 999", [&] { run.with(sampler()); });
      run.steps = 999;
    }
    if (std::string_view(scheduler.name) == "Simple" ||
        std::string_view(scheduler.name) == "DDIM") {
      expect_error(ErrorCode::kInvalidArgument, "1 to ", [&] {
        run.steps = 1001;
        run.with(sampler());
      });
      run.steps = 998;  // and one more for samplers that discard one
    }
    run.with(sampler());
    EXPECT_EQ(run.clean.size(), static_cast<size_t>(run.steps));
    EXPECT_TRUE(run.latents.isfinite().all().item<bool>()) << scheduler.name;
    EXPECT_LT(run.latents.abs().max().item<double>(), 1.5) << scheduler.name;
  }
}

TEST_P(EverySamplerTest, CallsTheNetworkAsOftenAsTheTableSays) {
  SamplerRun run{.steps = 7};
  run.with(sampler());
  EXPECT_EQ(run.inputs.size(), static_cast<size_t>(6 * sampler().model_calls + 1));
  EXPECT_EQ(run.clean.size(), 7U);
}

TEST_P(EverySamplerTest, DrawsNoiseIfTheTableSays) {
  SamplerRun run{.steps = 5};
  run.with(sampler());
  tensor::NoiseSource untouched({1});
  untouched.draw_all(run.shape);
  EXPECT_EQ(at::equal(run.next_draw, untouched.draw_all(run.shape)), !sampler().draws_noise);
}

TEST_P(EverySamplerTest, ImagesDoNotDependOnTheirNeighbours) {
  SamplerRun together{.seeds = {5, 6, 7}};
  together.variance = at::full({1, 1, 1, 1}, 0.3);
  together.with(sampler());
  for (const int64_t row : {0, 1, 2}) {
    SamplerRun alone{.seeds = {5 + static_cast<uint64_t>(row)}};
    alone.variance = together.variance;
    alone.with(sampler());
    EXPECT_TRUE(at::equal(together.latents[row], alone.latents[0])) << row;
  }
}

TEST_P(EverySamplerTest, GivesTheLastPredictionWhenStopped) {
  SamplerRun whole{.steps = 5};
  whole.with(sampler());
  for (int stop = 1; stop <= 5; ++stop) {
    SamplerRun run{.steps = 5, .stop_after = stop};
    run.with(sampler());
    EXPECT_EQ(run.clean.size(), static_cast<size_t>(stop));
    EXPECT_TRUE(at::equal(run.latents, run.clean.back())) << stop;
    EXPECT_TRUE(at::equal(run.latents, whole.clean[static_cast<size_t>(stop) - 1])) << stop;
  }
}

/// Half of what the network gives is its variance; only DDPM may look at it.
TEST_P(EverySamplerTest, LeavesTheLearnedVarianceToDdpm) {
  SamplerRun run;
  run.variance = at::full({1, 4, 16, 16}, std::numeric_limits<float>::quiet_NaN());
  run.with(sampler());
  EXPECT_EQ(run.latents.isfinite().all().item<bool>(), !is("DDPM"));
}

TEST_P(EverySamplerTest, RefusesWhatItCannotDo) {
  const auto refused = [this](std::string_view part, SamplerRun run) {
    expect_error(ErrorCode::kInvalidArgument, part, [&] { run.with(sampler()); });
  };
  refused(sampler().name, {.steps = 0});
  refused("1 to ", {.steps = -3});
  refused("1 to 1000", {.steps = 1001, .scheduler = "Karras"});
  refused("SGM Uniform", {.scheduler = "no such"});
  refused("0 to 9", {.start = from_clean({}, 10)});
  refused("0 to 9", {.start = from_clean({}, -1)});
  const at::Tensor latents = at::zeros({1, 4, 16, 16});
  SamplerStart both = from_clean(latents, 0);
  both.noised_latents = latents;
  refused("both", {.start = both});
}

TEST(SamplerTableTest, HasTheHostsNamesAndTheModelsOwnFirst) {
  std::vector<std::string> names;
  for (const Sampler& sampler : samplers()) names.emplace_back(sampler.name);
  EXPECT_THAT(names, testing::ElementsAre("DDIM", "DDPM", "Euler", "Euler a", "Heun", "LMS", "DPM2",
                                          "DPM2 a", "DPM++ 2S a", "DPM++ 2M", "DPM++ SDE",
                                          "DPM++ 2M SDE", "DPM++ 3M SDE", "UniPC"));
}

TEST(SamplerTableTest, FindsByNameInAnyCaseAndListsTheKnownOnes) {
  EXPECT_STREQ(find_sampler("ddim").name, "DDIM");
  EXPECT_STREQ(find_sampler("dpm++ 2m sde").name, "DPM++ 2M SDE");
  for (const Sampler& sampler : samplers()) EXPECT_EQ(&find_sampler(sampler.name), &sampler);
  expect_error(ErrorCode::kInvalidArgument, "DDIM, DDPM, Euler,", [] { find_sampler("Euler z"); });
}

}  // namespace
}  // namespace kandinsky::samplers
