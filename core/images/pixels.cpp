#include "images/pixels.h"

#include <ATen/ops/from_blob.h>

#include <cstdint>

#include "io/images/image.h"

namespace kandinsky::images {

at::Tensor channels_of(const io::Image& image) {
  // at::from_blob has no const form.
  return at::from_blob(const_cast<std::uint8_t*>(image.pixels.data()),
                       {1, image.height, image.width, image.channels},
                       at::TensorOptions().dtype(at::kByte))
      .permute({0, 3, 1, 2});
}

}  // namespace kandinsky::images
