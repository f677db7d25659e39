#include "samplers/guidance.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tensor/noise.h"

namespace kandinsky::samplers {
namespace {

Prediction prediction(uint64_t seed) {
  tensor::NoiseSource source({seed});
  return {.noise_pred = source.draw_all({4, 8, 8}),
          .predicted_variance = source.draw_all({4, 8, 8})};
}

TEST(GuidanceTest, GoesFromTheNegativeOverTheCondition) {
  const Prediction negative = prediction(1);
  const Prediction condition = prediction(2);
  const Prediction guided = guide(negative, {{condition}}, {.scale = 4.0});
  EXPECT_TRUE(guided.noise_pred.equal(negative.noise_pred +
                                      4.0 * (condition.noise_pred - negative.noise_pred)));
  EXPECT_TRUE(guided.predicted_variance.equal(condition.predicted_variance));
}

TEST(GuidanceTest, ConditionsAddUpByTheirWeights) {
  const Prediction negative = prediction(1);
  const Prediction a = prediction(2);
  const Prediction b = prediction(3);
  const Prediction guided = guide(negative, {{a, 0.5}, {b, -0.25}}, {.scale = 4.0});
  const at::Tensor expected = negative.noise_pred + 2.0 * (a.noise_pred - negative.noise_pred) -
                              1.0 * (b.noise_pred - negative.noise_pred);
  EXPECT_TRUE(guided.noise_pred.allclose(expected, 1e-5, 1e-5));
  // A variance is nothing to steer away from.
  EXPECT_TRUE(guided.predicted_variance.equal(a.predicted_variance));
  const Prediction both = guide(negative, {{a, 0.5}, {b, 1.5}}, {.scale = 4.0});
  EXPECT_TRUE(
      both.predicted_variance.allclose(0.25 * a.predicted_variance + 0.75 * b.predicted_variance));
}

TEST(GuidanceTest, RescaleBringsBackTheDeviationOfTheCondition) {
  const Prediction negative = prediction(1);
  const Prediction condition = prediction(2);
  const at::Tensor plain = guide(negative, {{condition}}, {.scale = 9.0}).noise_pred;
  const at::Tensor rescaled =
      guide(negative, {{condition}}, {.scale = 9.0, .rescale = 1.0}).noise_pred;
  EXPECT_NEAR(rescaled.std().item<double>(), condition.noise_pred.std().item<double>(), 1e-5);
  EXPECT_TRUE((rescaled / rescaled.std()).allclose(plain / plain.std(), 1e-4, 1e-5));
  const at::Tensor half = guide(negative, {{condition}}, {.scale = 9.0, .rescale = 0.5}).noise_pred;
  EXPECT_TRUE(half.allclose((plain + rescaled) / 2, 1e-4, 1e-5));
}

/// Of the clean latents that predictions stand for.
TEST(GuidanceTest, SimilarityIsTheCosine) {
  constexpr double kAlpha = 0.64;
  const at::Tensor latents = prediction(9).noise_pred;
  const auto of = [&](const at::Tensor& clean) {
    return Prediction{.noise_pred = (latents - 0.8 * clean) / 0.6, .predicted_variance = {}};
  };
  const at::Tensor a = prediction(1).noise_pred;
  const at::Tensor b = prediction(2).noise_pred;
  EXPECT_NEAR(similarity(latents, kAlpha, of(a), {{of(2.0 * a)}}), 1.0, 1e-5);
  EXPECT_NEAR(similarity(latents, kAlpha, of(a), {{of(-a)}}), -1.0, 1e-5);
  EXPECT_NEAR(similarity(latents, kAlpha, of(a), {{of(b)}}), 0.0, 0.2);
  // Of several conditions it is their mean that counts, without those that push away.
  const at::Tensor mean = (0.5 * a + 1.5 * b).flatten();
  const at::Tensor c = prediction(3).noise_pred.flatten();
  EXPECT_NEAR(similarity(latents, kAlpha, of(c.view_as(a)),
                         {{of(a), 0.5}, {of(b), 1.5}, {of(c.view_as(a)), -1.0}}),
              (mean.dot(c) / mean.norm() / c.norm()).item<double>(), 1e-4);
}

TEST(GuidanceTest, WithoutConditionsTheNegativeIsLeft) {
  const Prediction negative = prediction(1);
  EXPECT_TRUE(guide(negative, {}, {.scale = 4.0}).noise_pred.equal(negative.noise_pred));
}

TEST(GuidanceTest, WithoutGuidanceConditionsAreAveraged) {
  const Prediction a = prediction(2);
  const Prediction b = prediction(3);
  EXPECT_TRUE(without_guidance({{a, 0.3}}).noise_pred.equal(a.noise_pred));
  const Prediction mean = without_guidance({{a, 0.5}, {b, 1.5}});
  EXPECT_TRUE(mean.noise_pred.allclose(0.25 * a.noise_pred + 0.75 * b.noise_pred));
}

}  // namespace
}  // namespace kandinsky::samplers
