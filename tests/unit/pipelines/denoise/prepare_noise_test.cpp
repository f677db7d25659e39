#include "pipelines/denoise/prepare_noise.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

constexpr Geometry kGeometry{
    .native_size = 64, .latent_channels = 4, .latent_factor = 8, .size_multiple = 64};

DenoiseRequest request(const std::vector<uint64_t>& seeds) {
  DenoiseRequest request;
  request.width = 128;
  request.height = 64;
  request.seeds = seeds;
  return request;
}

at::Tensor noise_of(const DenoiseRequest& request) {
  tensor::NoiseSource generator(request.seeds);
  return prepare_noise(request, kGeometry, generator);
}

TEST(PrepareNoiseTest, IsTheSeedsFirstDraw) {
  EXPECT_TRUE(noise_of(request({5, 6})).equal(tensor::NoiseSource({5, 6}).draw_all({4, 8, 16})));
}

TEST(PrepareNoiseTest, VariationsGoFromOneSeedToTheOther) {
  DenoiseRequest varied = request({5});
  varied.variation_seeds = {9};
  EXPECT_TRUE(noise_of(varied).equal(noise_of(request({5}))));
  varied.variation_strength = 1.0;
  EXPECT_TRUE(noise_of(varied).allclose(noise_of(request({9}))));
  double last = 0.0;
  for (const double strength : {0.2, 0.4, 0.6, 0.8}) {
    varied.variation_strength = strength;
    const at::Tensor noise = noise_of(varied);
    const double distance = (noise - noise_of(request({5}))).norm().item<double>();
    EXPECT_GT(distance, last);
    last = distance;
    // Mixed on a line, the noise of two seeds would be weaker than that of one.
    EXPECT_NEAR(noise.std().item<double>(), 1.0, 0.05);
  }
  varied.variation_seeds = {5};
  EXPECT_TRUE(noise_of(varied).allclose(noise_of(request({5}))));
}

TEST(PrepareNoiseTest, AnglesAreThoseOfColumns) {
  DenoiseRequest varied = request({5});
  varied.variation_seeds = {9};
  varied.variation_strength = 0.25;
  const at::Tensor from = noise_of(request({5}))[0];
  const at::Tensor to = noise_of(request({9}))[0];
  const at::Tensor noise = noise_of(varied)[0];
  for (const int64_t column : {0, 7}) {
    const at::Tensor a = from[2].select(1, column).to(at::kDouble);
    const at::Tensor b = to[2].select(1, column).to(at::kDouble);
    const double angle = std::acos((a.dot(b) / (a.norm() * b.norm())).item<double>());
    const at::Tensor expected =
        (std::sin(0.75 * angle) * a + std::sin(0.25 * angle) * b) / std::sin(angle);
    EXPECT_TRUE(noise[2].select(1, column).to(at::kDouble).allclose(expected, 1e-4, 1e-5));
  }
}

TEST(PrepareNoiseTest, ASmallerImagesNoiseLiesInTheMiddle) {
  DenoiseRequest resized = request({5});
  resized.seed_resize_width = 64;
  resized.seed_resize_height = 64;
  const at::Tensor noise = noise_of(resized);
  const at::Tensor small = tensor::NoiseSource({5}).draw_all({4, 8, 8});
  EXPECT_TRUE(noise.slice(3, 4, 12).equal(small));
  const at::Tensor around = noise_of(request({5}));
  EXPECT_TRUE(noise.slice(3, 0, 4).equal(around.slice(3, 0, 4)));
  EXPECT_TRUE(noise.slice(3, 12).equal(around.slice(3, 12)));
}

TEST(PrepareNoiseTest, OfALargerImagesNoiseTheMiddleIsTaken) {
  DenoiseRequest resized = request({5});
  resized.seed_resize_width = 256;
  resized.seed_resize_height = 192;
  const at::Tensor large = tensor::NoiseSource({5}).draw_all({4, 24, 32});
  EXPECT_TRUE(noise_of(resized).equal(large.slice(2, 8, 16).slice(3, 8, 24)));
  resized.seed_resize_width = 64;
  const at::Tensor noise = noise_of(resized);
  EXPECT_TRUE(
      noise.slice(3, 4, 12).equal(tensor::NoiseSource({5}).draw_all({4, 24, 8}).slice(2, 8, 16)));
}

TEST(PrepareNoiseTest, TheSameSizeChangesNothing) {
  DenoiseRequest resized = request({5});
  resized.seed_resize_width = 128;
  resized.seed_resize_height = 64;
  EXPECT_TRUE(noise_of(resized).equal(noise_of(request({5}))));
}

TEST(PrepareNoiseTest, GivenNoiseWins) {
  DenoiseRequest given = request({5});
  given.variation_seeds = {9};
  given.variation_strength = 0.5;
  given.noise = at::ones({1, 4, 8, 16});
  EXPECT_TRUE(noise_of(given).equal(given.noise));
}

TEST(PrepareNoiseTest, WhatIsDrawnLaterDoesNotDependOnTheBeginning) {
  DenoiseRequest plain = request({5});
  tensor::NoiseSource generator(plain.seeds);
  prepare_noise(plain, kGeometry, generator);
  const at::Tensor expected = generator.draw_all({4, 8, 16});
  DenoiseRequest varied = plain;
  varied.variation_seeds = {9};
  varied.variation_strength = 0.5;
  DenoiseRequest resized = plain;
  resized.seed_resize_width = 64;
  resized.seed_resize_height = 64;
  DenoiseRequest given = plain;
  given.noise = at::ones({1, 4, 8, 16});
  for (const DenoiseRequest& other : {varied, resized, given}) {
    tensor::NoiseSource source(other.seeds);
    prepare_noise(other, kGeometry, source);
    EXPECT_TRUE(source.draw_all({4, 8, 16}).equal(expected));
  }
}

TEST(PrepareNoiseTest, SettingsThatMakeNoSenseAreRefused) {
  const auto refused = [](const char* part, const DenoiseRequest& request) {
    test::expect_error(ErrorCode::kInvalidArgument, part, [&] { request.check(); });
  };
  DenoiseRequest spoiled = request({5});
  spoiled.variation_strength = 0.5;
  refused("there are 0 variation_seeds for 1 images", spoiled);
  spoiled = request({5});
  spoiled.seed_resize_width = 64;
  refused("seed_resize_height is 0 pixels", spoiled);
}

}  // namespace
}  // namespace kandinsky::pipelines
