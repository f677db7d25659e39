#include "samplers/noise_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "unit/samplers/support.h"
#include "unit/support.h"

namespace kandinsky::samplers {
namespace {

using test::decoder_schedule;
using test::expect_error;

/// Values printed from the reference's own tables.
TEST(NoiseScheduleTest, EqualsTheReference) {
  const NoiseSchedule schedule = decoder_schedule();
  ASSERT_EQ(schedule.num_train_timesteps(), 1000);
  EXPECT_FLOAT_EQ(schedule.alphas_cumprod[0], 0.999149978F);
  EXPECT_FLOAT_EQ(schedule.alphas_cumprod[1], 0.998289526F);
  EXPECT_FLOAT_EQ(schedule.alphas_cumprod[500], 0.160771623F);
  EXPECT_FLOAT_EQ(schedule.alphas_cumprod[999], 0.00157896278F);
  EXPECT_FLOAT_EQ(schedule.final_alpha_cumprod, schedule.alphas_cumprod[0]);
}

/// Not the 14.61 of Stable Diffusion, whose betas are not linear.
TEST(NoiseScheduleTest, SigmasAreThoseOfLinearBetas) {
  const NoiseSchedule schedule = decoder_schedule();
  EXPECT_NEAR(schedule.sigma(0), 0.0291675348, 1e-8);
  EXPECT_NEAR(schedule.sigma(1), 0.0413932987, 1e-8);
  EXPECT_NEAR(schedule.sigma(500), 2.28473258, 1e-6);
  EXPECT_NEAR(schedule.sigma_max(), 25.1461163, 1e-5);
  EXPECT_EQ(schedule.sigma_min(), schedule.sigma(0));
}

TEST(NoiseScheduleTest, SigmasBetweenTimestepsAreLinearInTheirLogarithm) {
  const NoiseSchedule schedule = decoder_schedule();
  EXPECT_NEAR(schedule.sigma(100.25),
              std::pow(schedule.sigma(100), 0.75) * std::pow(schedule.sigma(101), 0.25), 1e-12);
  for (const double t : {0.0, 0.5, 1.0, 171.4664, 537.3535, 998.999, 999.0})
    EXPECT_NEAR(schedule.timestep(schedule.sigma(t)), t, 1e-9) << t;
  EXPECT_NEAR(schedule.timestep(2.64176), 537.3535, 1e-3);
}

TEST(NoiseScheduleTest, LevelsOutsideTheTableAreItsEnds) {
  const NoiseSchedule schedule = decoder_schedule();
  EXPECT_EQ(schedule.timestep(0.0), 0.0);
  EXPECT_EQ(schedule.timestep(0.001), 0.0);
  EXPECT_EQ(schedule.timestep(1000.0), 999.0);
  EXPECT_EQ(schedule.sigma(-5.0), schedule.sigma_min());
  EXPECT_EQ(schedule.sigma(5000.0), schedule.sigma_max());
}

TEST(NoiseScheduleTest, AlphasAtWholeTimestepsAreTheTable) {
  const NoiseSchedule schedule = decoder_schedule();
  for (const int t : {0, 1, 500, 999})
    EXPECT_NEAR(schedule.alpha_cumprod_at(t), schedule.alphas_cumprod[static_cast<size_t>(t)],
                1e-12);
  EXPECT_LT(schedule.alpha_cumprod_at(500.5), schedule.alphas_cumprod[500]);
  EXPECT_GT(schedule.alpha_cumprod_at(500.5), schedule.alphas_cumprod[501]);
}

TEST(NoiseScheduleTest, RefusesOtherKindsByName) {
  const auto parse = [](std::string_view text) {
    return NoiseSchedule::from_json(io::JsonConfig::parse(text, "file"));
  };
  for (const char* text :
       {R"({"beta_start": 0.1, "beta_end": 0.2, "beta_schedule": "scaled_linear"})",
        R"({"beta_start": 0.1, "beta_end": 0.2, "prediction_type": "v_prediction"})",
        R"({"beta_start": 0.1, "beta_end": 0.2, "thresholding": true})",
        R"({"beta_start": 0.1, "beta_end": 0.2, "clip_sample": true, "clip_sample_range": 0.0})",
        R"({"beta_start": 0.5, "beta_end": 0.2})", R"({"beta_start": 0.1, "beta_end": 1.5})",
        R"({"beta_start": 0.1, "beta_end": 0.2, "num_train_timesteps": 0})",
        R"({"beta_start": 0.1, "beta_end": 0.2, "steps_offset": 1000})"}) {
    EXPECT_THROW(parse(text), Error) << text;
  }
}

/// The files of Kandinsky 2.2, which are DDPM's and serve DDIM, too.
TEST(NoiseScheduleTest, ADdpmConfigSaysWhatDdpmNeeds) {
  const auto parse = [](std::string_view clip_sample) {
    const std::string text = R"({"_class_name": "DDPMScheduler", "num_train_timesteps": 1000,
        "beta_schedule": "linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": )" +
                             std::string(clip_sample) +
                             R"(, "set_alpha_to_one": false, "steps_offset": 1,
        "prediction_type": "epsilon", "thresholding": false})";
    return NoiseSchedule::from_json(io::JsonConfig::parse(text, "file"));
  };
  for (const bool is_bounded : {true, false}) {
    const NoiseSchedule schedule = parse(is_bounded ? "true" : "false");
    EXPECT_EQ(schedule.clip_sample_range, is_bounded ? 1.0 : 0.0);
    EXPECT_EQ(schedule.ddpm.clip_sample_range, is_bounded ? 1.0 : 0.0);
    EXPECT_EQ(schedule.ddpm.variance, DdpmConfig::Variance::kFixedSmall);
    EXPECT_EQ(schedule.ddpm.dynamic_thresholding_ratio, 0.0);
    EXPECT_EQ(schedule.ddpm.steps_offset, 1);
    EXPECT_EQ(schedule.alphas_cumprod, decoder_schedule().alphas_cumprod);
  }
  EXPECT_EQ(decoder_schedule().clip_sample_range, 0.0);
}

DdpmConfig ddpm(std::string_view text) {
  return DdpmConfig::from_json(io::JsonConfig::parse(text, "file"));
}

TEST(DdpmConfigTest, DefaultsAreTheModels) {
  const DdpmConfig model = ddpm(R"({"clip_sample": true, "clip_sample_range": 2.0,
      "dynamic_thresholding_ratio": 0.995, "sample_max_value": 2.0, "thresholding": true,
      "variance_type": "learned_range"})");
  const DdpmConfig defaults;
  EXPECT_EQ(model.variance, defaults.variance);
  EXPECT_EQ(model.dynamic_thresholding_ratio, defaults.dynamic_thresholding_ratio);
  EXPECT_EQ(model.sample_max_value, defaults.sample_max_value);
  EXPECT_EQ(model.steps_offset, defaults.steps_offset);
}

TEST(DdpmConfigTest, ReadsOtherKinds) {
  EXPECT_EQ(ddpm("{}").variance, DdpmConfig::Variance::kFixedSmall);
  EXPECT_EQ(ddpm("{}").dynamic_thresholding_ratio, 0.0);
  EXPECT_EQ(ddpm("{}").clip_sample_range, 1.0);
  EXPECT_EQ(ddpm(R"({"variance_type": "fixed_large"})").variance,
            DdpmConfig::Variance::kFixedLarge);
  EXPECT_EQ(ddpm(R"({"thresholding": true, "sample_max_value": null})").sample_max_value, 2.0);
}

TEST(DdpmConfigTest, RefusesWhatCannotBe) {
  const auto refused = [](ErrorCode code, std::string_view part, std::string_view text) {
    expect_error(code, part, [&] { ddpm(text); });
  };
  refused(ErrorCode::kUnsupported, "learned_range", R"({"variance_type": "learned"})");
  refused(ErrorCode::kUnsupported, "epsilon", R"({"prediction_type": "sample"})");
  refused(ErrorCode::kUnsupported, "leading", R"({"timestep_spacing": "trailing"})");
  refused(ErrorCode::kCorruptFile, "0.5", R"({"sample_max_value": 0.5})");
  refused(ErrorCode::kCorruptFile, "1.5",
          R"({"thresholding": true, "dynamic_thresholding_ratio": 1.5})");
  refused(ErrorCode::kCorruptFile, "-1", R"({"steps_offset": -1})");
}

}  // namespace
}  // namespace kandinsky::samplers
