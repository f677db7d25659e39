#pragma once

#include <ATen/core/Tensor.h>

#include "io/images/image.h"

namespace kandinsky::images {

/// uint8 [1, C, H, W] over the image's own pixels, which must outlive it; of a const image it must
/// not be written to.
at::Tensor channels_of(const io::Image& image);

}  // namespace kandinsky::images
