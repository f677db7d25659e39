#pragma once

#include <cstdint>
#include <utility>

namespace kandinsky::pipelines {

/// Sizes that callers need before weights are loaded.
struct Geometry {
  int64_t native_size = 0;  ///< side in pixels of the training images
  int64_t latent_channels = 0;
  int64_t latent_factor = 0;  ///< pixels per latent in each direction
  int64_t size_multiple = 0;  ///< pixel sizes are rounded up to a multiple of this internally

  /// {height, width} of the latents of an image. Throws Error(kInvalidArgument) for sides out of
  /// range.
  std::pair<int64_t, int64_t> latent_size(int64_t width, int64_t height) const;

  /// Throws Error(kInvalidArgument) unless the image can be tiled: sides that are not multiples of
  /// size_multiple are cropped.
  void check_tiling(int64_t width, int64_t height) const;
};

}  // namespace kandinsky::pipelines
