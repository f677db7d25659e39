#pragma once

#include "io/image.h"

namespace kandinsky::io {

/// The RGB picture with the masked part, by the soft mask's share, replaced by colours from around
/// it, smooth and the more so the further from the border; mid grey where nothing is kept.
/// Source: Gortler et al., "The Lumigraph", 1996: pull-push.
Image fill_masked(const Image& picture, const Image& soft_mask);

}  // namespace kandinsky::io
