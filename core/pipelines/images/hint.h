#pragma once

#include <ATen/core/Tensor.h>

#include "io/images/image.h"

namespace kandinsky::pipelines {

/// A hint as the UNet's hint network takes it, [1, 3, padded_height, padded_width] in [0, 1]:
/// brought to width x height as a start image is, without keeping its proportions, then filled up
/// by repeating the border. Source: diffusers, KandinskyV22ControlnetPipeline, for one of that
/// size.
at::Tensor hint_pixels(const io::Image& hint, int width, int height, int64_t padded_width,
                       int64_t padded_height);

}  // namespace kandinsky::pipelines
