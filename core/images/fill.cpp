#include "images/fill.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "images/pixels.h"

namespace kandinsky::images {
namespace {

/// Rows of the whole image that are floats at once. Even, so that pairs of rows stay together.
constexpr std::int64_t kBand = 256;

/// Each pixel as colours times share and share, [1, 4, rows, W]: what is kept, with nothing of the
/// masked part.
at::Tensor kept_part(const Image& image, const Image& soft_mask, std::int64_t top,
                     std::int64_t bottom) {
  const at::Tensor colours = channels_of(image).slice(2, top, bottom).to(at::kFloat);
  const at::Tensor share =
      1.0 - channels_of(soft_mask).slice(2, top, bottom).to(at::kFloat) / 255.0;
  return at::cat({colours * share, share}, 1);
}

/// Means of 2 x 2 pixels, and at the far borders of those that there are.
at::Tensor halved(const at::Tensor& kept) {
  return at::avg_pool2d(kept, {2, 2}, {2, 2}, {0, 0}, /*ceil_mode=*/true,
                        /*count_include_pad=*/false);
}

/// Rows from `top` on of the colours at twice the size, cut to `like`'s.
at::Tensor doubled(const at::Tensor& colours, std::int64_t top, const at::Tensor& like) {
  const std::int64_t bottom = top + like.size(2);
  const std::int64_t first = std::max<std::int64_t>(0, top / 2 - 1);
  const std::int64_t end = std::min(colours.size(2), (bottom + 1) / 2 + 1);
  return at::upsample_bilinear2d(colours.slice(2, first, end), {2 * (end - first), like.size(3)},
                                 /*align_corners=*/false, 2.0, 2.0)
      .slice(2, top - 2 * first, bottom - 2 * first);
}

/// What is kept, on the colours behind it.
at::Tensor over(const at::Tensor& kept, const at::Tensor& behind) {
  return at::addcmul(kept.slice(1, 0, 3), 1.0 - kept.slice(1, 3), behind);
}

/// The colour of the one pixel that all others went into.
at::Tensor mean_colour(const at::Tensor& kept) {
  const at::Tensor share = kept.slice(1, 3);
  const at::Tensor colour = kept.slice(1, 0, 3) / share;
  return at::where(share > 0.0, colour, at::full_like(colour, 127.5));
}

}  // namespace

Image fill_masked(const Image& image, const Image& soft_mask) {
  const std::int64_t height = image.height;
  std::vector<at::Tensor> levels = {
      at::empty({1, 4, (height + 1) / 2, (std::int64_t{image.width} + 1) / 2}, at::kFloat)};
  for (std::int64_t top = 0; top < height; top += kBand) {
    const std::int64_t bottom = std::min(top + kBand, height);
    levels[0]
        .slice(2, top / 2, (bottom + 1) / 2)
        .copy_(halved(kept_part(image, soft_mask, top, bottom)));
  }
  while (levels.back().size(2) > 1 || levels.back().size(3) > 1)
    levels.push_back(halved(levels.back()));

  at::Tensor colours = mean_colour(levels.back());
  for (; !levels.empty(); levels.pop_back())
    colours = over(levels.back(), doubled(colours, 0, levels.back()));

  Image filled{image.width, image.height, 3, {}};
  filled.pixels.resize(image.pixels.size());
  const at::Tensor pixels = channels_of(filled);
  for (std::int64_t top = 0; top < height; top += kBand) {
    const std::int64_t bottom = std::min(top + kBand, height);
    const at::Tensor kept = kept_part(image, soft_mask, top, bottom);
    pixels.slice(2, top, bottom)
        .copy_(over(kept, doubled(colours, top, kept)).round_().clamp_(0.0, 255.0));
  }
  return filled;
}

}  // namespace kandinsky::images
