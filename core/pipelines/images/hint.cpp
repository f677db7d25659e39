#include "pipelines/images/hint.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>

#include "images/resize.h"
#include "io/images/image.h"
#include "tensor/bridge.h"

namespace kandinsky::pipelines {

at::Tensor hint_pixels(const io::Image& hint, int width, int height, int64_t padded_width,
                       int64_t padded_height) {
  const io::Image rgb = images::resize_image(hint.channels == 3 ? hint : io::to_rgb(hint), width,
                                             height, images::ResizeMode::kStretch);
  const at::Tensor bytes = at::empty({1, height, width, 3}, at::kByte);
  std::ranges::copy(rgb.pixels, bytes.mutable_data_ptr<uint8_t>());
  const at::Tensor pixels = bytes.permute({0, 3, 1, 2}).to(at::kFloat) / 255.0;
  return tensor::extend_border(pixels, padded_height, padded_width);
}

}  // namespace kandinsky::pipelines
