#include "images/mask.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/span.h"
#include "images/filters.h"
#include "images/pixels.h"
#include "images/resize.h"
#include "io/images/image.h"

namespace kandinsky::images {
namespace {

constexpr unsigned kWhite = 255;
constexpr unsigned kHalf = 128;  // the first value that counts as white

/// Pillow's luma, times alpha.
Image luma_on_black(const Image& image) {
  Image luma{image.width, image.height, 1, {}};
  const auto channels = static_cast<std::size_t>(image.channels);
  luma.pixels.resize(image.pixels.size() / channels);
  const std::uint8_t* from = image.pixels.data();
  for (std::uint8_t& to : luma.pixels) {
    unsigned value = (from[0] * 19'595U + from[1] * 38'470U + from[2] * 7'471U + 0x8000U) >> 16U;
    if (channels == 4) value = (value * from[3] + kWhite / 2) / kWhite;
    to = static_cast<std::uint8_t>(value);
    from += channels;
  }
  return luma;
}

/// The pixels along one side of that many latents; beyond the mask its last one.
at::Tensor places(std::int64_t latents, std::int64_t factor, std::int64_t size) {
  return at::arange(latents * factor, at::kLong).clamp_max_(size - 1);
}

}  // namespace

Image make_mask(const Image& image, int width, int height, ResizeMode mode, bool invert) {
  io::check_image(image, "mask");
  Image mask = image.channels == 1 ? resize_image(image, width, height, mode)
                                   : resize_image(luma_on_black(image), width, height, mode);
  for (std::uint8_t& value : mask.pixels) value = (value >= kHalf) != invert ? kWhite : 0;
  return mask;
}

Image soften_mask(const Image& mask, int sigma) {
  if (sigma == 0) return mask;
  Image soft = gaussian_blur(mask, sigma);
  // Half and more, as inside a straight border, become white.
  std::ranges::transform(
      mask.pixels, soft.pixels, soft.pixels.begin(), [](std::uint8_t hard, std::uint8_t blurred) {
        return static_cast<std::uint8_t>(std::max<unsigned>(hard, std::min(kWhite, 2U * blurred)));
      });
  return soft;
}

bool is_black(const Image& mask) {
  return std::ranges::all_of(mask.pixels, [](std::uint8_t value) { return value == 0; });
}

at::Tensor latent_mask(const Image& soft_mask, std::int64_t latent_width,
                       std::int64_t latent_height, std::int64_t factor, bool widen) {
  const at::Tensor cells = channels_of(soft_mask)
                               .index_select(2, places(latent_height, factor, soft_mask.height))
                               .index_select(3, places(latent_width, factor, soft_mask.width))
                               .reshape({1, 1, latent_height, factor, latent_width, factor});
  const at::Tensor nearest = cells.select(5, 0).select(3, 0) >= static_cast<int>(kHalf);
  at::Tensor inpainted = (cells.amax({3, 5}) > 0).logical_or_(nearest);
  if (widen) {
    const at::Tensor around = at::constant_pad_nd(nearest, {1, 1, 1, 1});
    for (const auto& [x, y] : {std::pair{0, 0}, {1, 0}, {0, 1}, {2, 1}, {1, 2}, {2, 2}}) {
      inpainted.logical_or_(around.slice(2, y, y + latent_height).slice(3, x, x + latent_width));
    }
  }
  return inpainted.to(at::kFloat);
}

void restore_unmasked(const Image& image, const Image& soft_mask, Span<std::uint8_t> generated) {
  std::size_t at = 0;
  for (const unsigned share : soft_mask.pixels) {
    for (int c = 0; c < 3; ++c, ++at) {
      const unsigned mixed = generated[at] * share + image.pixels[at] * (kWhite - share);
      generated[at] = static_cast<std::uint8_t>((mixed + kWhite / 2) / kWhite);
    }
  }
}

}  // namespace kandinsky::images
