#pragma once

#include "io/images/image.h"

namespace kandinsky::images {

using io::Image;

/// How an image of another aspect ratio is resized. In hosts: "Just resize", "Crop and
/// resize", "Resize and fill".
enum class ResizeMode : int {
  kStretch,  ///< both sides independently
  kCrop,     ///< covers the whole size, cropped equally at both ends
  kFill,     ///< fits the whole image, its border repeated equally at both ends
};

/// The image at width x height, with the same channels, by Pillow's Lanczos filter, bit-identical.
/// Positions depend only on the sizes and the mode, so that an image and its mask stay aligned.
/// Alpha is a channel like the others. Throws Error(kInvalidArgument) for an image or a size that
/// check_image refuses. Source: Automatic1111, images.resize_image; diffusers,
/// prepare_mask_and_masked_image, for masks.
Image resize_image(const Image& image, int width, int height, ResizeMode mode);

}  // namespace kandinsky::images
