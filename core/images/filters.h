#pragma once

#include <cstdint>

#include "io/images/image.h"

/// Image filters. Results are bit-identical for any number of threads.
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

/// A window of the image resized to width x height, bit-identical to Pillow: over all pixels that
/// an output pixel covers, horizontally, then vertically, each pass rounded to 8
/// bits. The networks were trained on such images, and hosts use them; ATen's antialiased
/// kernels differ by up to 2 of 255. Channels are filtered separately. Only the window's
/// part is computed. The window must lie within the size and not exceed an image's limits.
/// Source: Pillow, src/libImaging/Resample.c.
Image resize(const Image& image, std::int64_t width, std::int64_t height, const Window& window,
             ResizeFilter filter);

/// A Gaussian blur, truncated at 2.5 sigma; beyond the border the image is mirrored at its
/// outermost pixels. sigma: standard deviation in pixels, above 0.
/// Source: Automatic1111's mask blur, cv2.GaussianBlur.
Image gaussian_blur(const Image& image, int sigma);

}  // namespace kandinsky::images
