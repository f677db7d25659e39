#pragma once

#include "io/image.h"

namespace kandinsky::io {

/// A part of a picture, in its pixels.
struct Window {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

/// The window of the picture as it would be at width x height, resampled as Pillow does it, bit for
/// bit: bicubic with a = -0.5, over all pixels that an output pixel covers, across and then down,
/// each pass rounded to 8 bits. The networks were trained on pictures made so, and other libraries
/// (OpenCV, ATen) differ in single bits, or have no such filter. Only what the window needs is
/// computed. The window must lie within the size and be no larger than a picture may be. Source:
/// Pillow, src/libImaging/Resample.c.
Image resize_bicubic(const Image& image, std::int64_t width, std::int64_t height,
                     const Window& window);

}  // namespace kandinsky::io
