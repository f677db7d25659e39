#include "pipelines/images/mask_blend.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tensor/noise.h"

namespace kandinsky::pipelines {
namespace {

at::Tensor random_tensor(uint64_t seed) {
  return tensor::NoiseSource({seed}).draw(0, {2, 4, 8, 8});
}

/// Columns 0 and 1 are kept, 2 and 3 half, the others generated.
at::Tensor mask() {
  at::Tensor mask = at::ones({2, 1, 8, 8});
  mask.slice(3, 0, 2).zero_();
  mask.slice(3, 2, 4).fill_(0.5);
  return mask;
}

TEST(MaskBlendTest, ThePredictedImageIsBlended) {
  const at::Tensor latents = random_tensor(1);
  const at::Tensor init_latents = random_tensor(2);
  const at::Tensor noise_pred = random_tensor(3);
  constexpr double kAlpha = 0.3;
  const auto clean = [&](const at::Tensor& noise) {
    return (latents - std::sqrt(1.0 - kAlpha) * noise) / std::sqrt(kAlpha);
  };
  const at::Tensor blended = blend_noise_pred(noise_pred, latents, init_latents, mask(), kAlpha);
  const at::Tensor expected = mask() * clean(noise_pred) + (1 - mask()) * init_latents;
  EXPECT_TRUE(clean(blended).allclose(expected, 1e-4, 1e-5));
  EXPECT_TRUE(blended.slice(3, 4).equal(noise_pred.slice(3, 4)));
}

TEST(MaskBlendTest, WhatIsKeptStaysBitForBit) {
  at::Tensor latents = random_tensor(1);
  latents[0][0][0][0] = INFINITY;  // outside of the mask
  const at::Tensor init_latents = random_tensor(2);
  const at::Tensor blended = blend_latents(latents, init_latents, mask());
  EXPECT_TRUE(blended.slice(3, 0, 2).equal(init_latents.slice(3, 0, 2)));
  EXPECT_TRUE(blended.slice(3, 4).equal(latents.slice(3, 4)));
  EXPECT_TRUE(blended.slice(3, 2, 4).allclose(
      (latents.slice(3, 2, 4) + init_latents.slice(3, 2, 4)) / 2, 1e-5, 1e-6));
}

TEST(MaskBlendTest, TheInpaintingNetworkSeesWhatIsKept) {
  const at::Tensor hard = hard_mask(mask());
  EXPECT_TRUE(hard.slice(3, 2).eq(1).all().item<bool>());
  EXPECT_TRUE(hard.slice(3, 0, 2).eq(0).all().item<bool>());
  const at::Tensor init_latents = random_tensor(2);
  const at::Tensor channels = inpaint_channels(init_latents, hard);
  EXPECT_EQ(channels.sizes(), at::IntArrayRef({2, 5, 8, 8}));
  EXPECT_TRUE(channels.slice(1, 0, 4).slice(3, 0, 2).equal(init_latents.slice(3, 0, 2)));
  EXPECT_TRUE(channels.slice(3, 2).eq(0).all().item<bool>());
  EXPECT_TRUE(channels.slice(1, 4).slice(3, 0, 2).eq(1).all().item<bool>());
}

TEST(MaskBlendTest, ImagesWithoutAMaskAreKept) {
  at::Tensor masks = mask();
  masks[1].zero_();
  const at::Tensor latents = random_tensor(1);
  const at::Tensor init_latents = random_tensor(2);
  const at::Tensor kept = keep_unmasked_images(latents, init_latents, masks);
  EXPECT_TRUE(kept[0].equal(latents[0]));
  EXPECT_TRUE(kept[1].equal(init_latents[1]));
}

}  // namespace
}  // namespace kandinsky::pipelines
