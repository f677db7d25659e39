#pragma once

#include "io/images/image.h"

/// Arithmetic on images. All of it gives the same bits on any number of threads.
namespace kandinsky::images {

using io::Image;

enum class ResizeFilter : int {
  kBicubic,  ///< a = -0.5
  kLanczos,  ///< 3 lobes; sharper, may overshoot
};

/// A part of an image, in its pixels.
struct Window {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

/// The window of the image as it would be at width x height, resized as Pillow does it, bit for
/// bit: over all pixels that an output pixel covers, across and then down, each pass rounded to 8
/// bits. The networks were trained on images made so, and hosts make theirs so; ATen's antialiased
/// kernels differ from it by up to 2 of 255. Every channel is filtered alone. Only what the window
/// needs is computed. The window must lie within the size and be no larger than an image may be.
/// Source: Pillow, src/libImaging/Resample.c.
Image resize(const Image& image, std::int64_t width, std::int64_t height, const Window& window,
             ResizeFilter filter);

/// A Gaussian blur, cut off after 2.5 sigma; beyond the border the image is mirrored at its
/// outermost pixels. sigma: standard deviation in pixels, above 0.
/// Source: Automatic1111's mask blur, cv2.GaussianBlur.
Image gaussian_blur(const Image& image, int sigma);

}  // namespace kandinsky::images
