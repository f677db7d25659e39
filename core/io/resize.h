#pragma once

#include "io/image.h"

namespace kandinsky::io {

/// How a picture of another shape is brought to a size. Hosts call them "Just resize", "Crop and
/// resize", "Resize and fill".
enum class ResizeMode : int {
  kStretch,  ///< both sides on their own
  kCrop,     ///< the whole size is covered, what overlaps is cut off at both ends alike
  kFill,     ///< the whole picture fits in, and its border is repeated at both ends alike
};

/// What is put between the pixels where a side grows. Where one shrinks it is always averages.
enum class ResizeFilter : int {
  kLanczos,  ///< sharp; may overshoot
  kLinear,   ///< never leaves the range of its neighbours: for masks
};

/// The picture at width x height, with as many channels. Places depend on the sizes and the mode
/// alone, so that a picture and its mask stay on each other. Alpha is a channel like the others.
/// Throws Error(kInvalidArgument) for a picture or a size that check_image refuses.
Image resize_image(const Image& image, int width, int height, ResizeMode mode,
                   ResizeFilter filter = ResizeFilter::kLanczos);

}  // namespace kandinsky::io
