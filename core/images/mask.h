#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "base/span.h"
#include "images/resize.h"

/// Masks: grey images in which white, 255, is inpainted and black, 0, is kept.
namespace kandinsky::images {

/// A black and white mask at width x height from any image: white from a luma of 128
/// on. Transparent pixels are black, so that strokes on an empty layer work. invert then swaps
/// black and white. Throws as resize_image.
Image make_mask(const Image& image, int width, int height, ResizeMode mode, bool invert);

/// The mask with a soft border: the opacity of the generated image at each pixel, of
/// 255. It is opaque where the mask is white and fades out within 2.5 sigma outside, as twice
/// a Gaussian blur of the mask. sigma: standard deviation in pixels, 0: the mask as it is.
/// Source: Automatic1111's mask blur and overlay, which also fade within thin strokes.
Image soften_mask(const Image& mask, int sigma);

/// Whether the mask is empty.
bool is_black(const Image& mask);

/// The mask at the size of latents, `factor` pixels each way per latent: fp32 [1, 1, latent_height,
/// latent_width], 1: inpaint, 0: keep. Beyond the mask's size its border is repeated.
/// Inpainted are the latents whose top left pixel is at least 128, widened by `widen` to six of
/// their neighbours (not the upper right and lower left one), and those with any pixel above 0,
/// so that every visible part is generated. Source: diffusers, prepare_mask of
/// KandinskyInpaintPipeline, for all except the last.
at::Tensor latent_mask(const Image& soft_mask, std::int64_t latent_width,
                       std::int64_t latent_height, std::int64_t factor, bool widen);

/// Restores an image outside the mask: generated where the soft mask is 255, the image where
/// it is 0, bit for bit, and blended in between. generated: RGB pixels of the same size, changed in
/// place.
void restore_unmasked(const Image& image, const Image& soft_mask, Span<std::uint8_t> generated);

}  // namespace kandinsky::images
