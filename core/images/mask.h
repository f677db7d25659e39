#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "base/span.h"
#include "images/resize.h"
#include "io/images/image.h"

/// Masks: grey images in which white, 255, is inpainted and black, 0, is kept.
namespace kandinsky::images {

/// A mask of black and white at width x height from an image of any kind: white from a luma of 128
/// on. Transparent pixels are black, so that strokes on an empty layer work. invert then swaps
/// black and white. Throws as resize_image.
Image make_mask(const Image& image, int width, int height, ResizeMode mode, bool invert);

/// The mask with a soft border around it: how much of the generated image is seen at each pixel, of
/// 255. Where the mask is white that is all of it; beyond, it fades out within 2.5 sigma, as twice
/// a Gaussian blur of the mask does. sigma: standard deviation in pixels, 0: the mask as it is.
/// Source: Automatic1111's mask blur and overlay, which also fade within thin strokes.
Image soften_mask(const Image& mask, int sigma);

/// Whether nothing is to be inpainted.
bool is_black(const Image& mask);

/// The mask at the size of latents, `factor` pixels each way per latent: fp32 [1, 1, latent_height,
/// latent_width], 1: inpaint, 0: keep. Beyond the mask's own size its border goes on.
/// Inpainted are the latents whose top left pixel is at least 128, widened by `widen` to six of
/// their neighbours (not the upper right and lower left one), and those with any pixel above 0:
/// nothing that is seen, however faintly, stays as it was. Source: diffusers, prepare_mask of
/// KandinskyInpaintPipeline, for all but the last of these.
at::Tensor latent_mask(const Image& soft_mask, std::int64_t latent_width,
                       std::int64_t latent_height, std::int64_t factor, bool widen);

/// Puts an image back over a generated one: generated where the soft mask is 255, the image where
/// it is 0, bit for bit, and mixed between. generated: RGB pixels of the same size, changed in
/// place.
void restore_unmasked(const Image& image, const Image& soft_mask, Span<std::uint8_t> generated);

}  // namespace kandinsky::images
