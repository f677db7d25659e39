#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "io/images/image.h"

namespace kandinsky::pipelines {

/// A hint as input of the UNet's hint network, [1, 3, padded_height, padded_width] in [0, 1]:
/// stretched to width x height as a start image, then padded by repeating the border.
/// Source: diffusers, KandinskyV22ControlnetPipeline, for one of that size.
at::Tensor hint_pixels(const io::Image& hint, int width, int height, int64_t padded_width,
                       int64_t padded_height);

}  // namespace kandinsky::pipelines
