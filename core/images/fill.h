#pragma once

#include "io/images/image.h"

namespace kandinsky::images {

using io::Image;

/// The RGB image with the masked part, weighted by the soft mask, replaced by colours from around
/// it, smoother with the distance from the border; mid grey if nothing is kept. Needs 9
/// bytes a pixel besides the images. Source: Gortler et al., "The Lumigraph", 1996: pull-push.
Image fill_masked(const Image& image, const Image& soft_mask);

}  // namespace kandinsky::images
