#pragma once

#include "io/images/image.h"

namespace kandinsky::images {

using io::Image;

/// How an image of another shape is brought to a size. Hosts call them "Just resize", "Crop and
/// resize", "Resize and fill".
enum class ResizeMode : int {
  kStretch,  ///< both sides on their own
  kCrop,     ///< the whole size is covered, what overlaps is cut off at both ends alike
  kFill,     ///< the whole image fits in, and its border is repeated at both ends alike
};

/// The image at width x height, with as many channels, by Pillow's Lanczos filter, whose pixels it
/// has bit for bit. Positions depend on the sizes and the mode alone, so that an image and its mask
/// stay on each other. Alpha is a channel like the others. Throws Error(kInvalidArgument) for an
/// image or a size that check_image refuses.
/// Source: Automatic1111, images.resize_image; diffusers, prepare_mask_and_masked_image, for masks.
Image resize_image(const Image& image, int width, int height, ResizeMode mode);

}  // namespace kandinsky::images
