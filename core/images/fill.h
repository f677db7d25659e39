#pragma once

#include "io/images/image.h"

namespace kandinsky::images {

using io::Image;

/// The RGB image with the masked part, by the soft mask's share, replaced by colours from around
/// it, smooth and the more so the further from the border; mid grey where nothing is kept. Takes 9
/// bytes a pixel besides the images. Source: Gortler et al., "The Lumigraph", 1996: pull-push.
Image fill_masked(const Image& image, const Image& soft_mask);

}  // namespace kandinsky::images
