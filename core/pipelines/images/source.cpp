#include "pipelines/images/source.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/error.h"
#include "images/fill.h"
#include "images/mask.h"
#include "images/resize.h"
#include "io/images/image.h"
#include "options/requests.h"
#include "options/types.h"
#include "pipelines/geometry.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"
#include "tensor/bridge.h"
#include "tensor/noise.h"

namespace kandinsky::pipelines {
namespace {

io::Image resized(const io::Image& image, int width, int height, ResizeMode mode) {
  if (image.channels == 3) return images::resize_image(image, width, height, mode);
  // Blend with white before resizing, or transparent colours would show.
  return images::resize_image(io::to_rgb(image), width, height, mode);
}

/// The distinct images of a list with one for all rows, or one for each.
struct Distinct {
  std::vector<const io::Image*> images;
  std::vector<size_t> of_row;  ///< indices into images
};

Distinct find_distinct(const std::vector<io::Image>& images, size_t rows) {
  Distinct distinct;
  for (const io::Image& image : images) {
    const auto known = std::ranges::find_if(
        distinct.images, [&](const io::Image* other) { return *other == image; });
    distinct.of_row.push_back(static_cast<size_t>(known - distinct.images.begin()));
    if (known == distinct.images.end()) distinct.images.push_back(&image);
  }
  if (images.size() == 1) distinct.of_row.assign(rows, 0);
  return distinct;
}

/// Reports images that will not be inpainted.
void report_kept(const Source& source, const DenoiseRequest& whole, const Monitor& monitor) {
  if (whole.num_running_steps() == 0) {
    if (whole.strength > 0.0) {
      monitor.say(fmt::format("a strength of {} leaves none of {} steps: the images come back",
                              whole.strength, whole.num_inference_steps));
    }
    return;
  }
  for (size_t i = 0; i < source.rows.size(); ++i) {
    if (source.rows[i].is_kept)
      monitor.say(fmt::format("image {}: its mask is black, nothing is inpainted", i + 1));
  }
}

/// Seeds of a stream that no sampler uses. at::Generator uses only the low 32 bits.
std::vector<uint64_t> fill_seeds(std::vector<uint64_t> seeds) {
  constexpr uint64_t kStream = 0x9E3779B97F4A7C15;
  for (uint64_t& seed : seeds) seed ^= kStream;
  return seeds;
}

at::Tensor pixels_of(const io::Image& image) {
  return tensor::from_images(image.pixels.data(), 1, image.height, image.width);
}

/// Latents [B, C, h, w] of the rows' images, with the masked part filled.
at::Tensor encode_rows(Pipeline& pipeline, const Source& source, const DenoiseRequest& request,
                       const Monitor& monitor) {
  const Geometry& geometry = pipeline.geometry();
  const bool fills = source.mask_fill == MaskFill::kFill && !source.soft_masks.empty();
  std::vector<std::pair<size_t, size_t>> starts;  // image, and mask if it changes the latents
  std::vector<size_t> start_of_row;
  for (const Source::Row& row : source.rows) {
    const std::pair start(row.image, fills ? row.mask : 0);
    const auto known = std::ranges::find(starts, start);
    start_of_row.push_back(static_cast<size_t>(known - starts.begin()));
    if (known == starts.end()) starts.push_back(start);
  }
  const auto [latent_height, latent_width] = geometry.latent_size(request.width, request.height);
  const int64_t height = latent_height * geometry.latent_factor;
  const int64_t width = latent_width * geometry.latent_factor;
  const at::Tensor pixels = at::empty({static_cast<int64_t>(starts.size()), 3, height, width});
  for (size_t i = 0; i < starts.size(); ++i) {
    monitor.check_cancelled();
    const io::Image& image = source.images[starts[i].first];
    const at::Tensor start =
        pixels_of(fills ? images::fill_masked(image, source.soft_masks[starts[i].second]) : image);
    const auto row = static_cast<int64_t>(i);
    pixels.slice(0, row, row + 1).copy_(tensor::extend_border(start, height, width));
  }
  const at::Tensor latents = pipeline.encode(pixels, request.tiling, monitor);
  std::vector<at::Tensor> rows;
  for (const size_t start : start_of_row) {
    const auto row = static_cast<int64_t>(start);
    rows.push_back(latents.slice(0, row, row + 1));
  }
  return at::cat(rows);
}

}  // namespace

DenoiseRequest with_stand_ins(const Geometry& geometry, const SourceRequest& source,
                              const DenoiseRequest& request) {
  if (request.init_latents.defined() || request.mask.defined()) {
    throw Error(ErrorCode::kInvalidArgument,
                "init_latents and mask are made from the start images; do not give them");
  }
  const auto batch_size = static_cast<int64_t>(request.seeds.size());
  check_batch_size(batch_size);
  source.check(request.seeds.size());
  const auto [height, width] = geometry.latent_size(request.width, request.height);
  DenoiseRequest whole = request;
  const at::Tensor zero = at::zeros({1, 1, 1, 1});
  whole.init_latents = zero.expand({batch_size, geometry.latent_channels, height, width});
  if (!source.masks.empty()) whole.mask = zero.expand({batch_size, 1, height, width});
  return whole;
}

Source prepare_source(const Geometry& geometry, const SourceRequest& source,
                      const DenoiseRequest& request, const Monitor& monitor) {
  const auto width = static_cast<int>(request.width);
  const auto height = static_cast<int>(request.height);
  const auto [latent_height, latent_width] = geometry.latent_size(width, height);
  const Distinct images = find_distinct(source.images, request.seeds.size());
  const Distinct masks = find_distinct(source.masks, request.seeds.size());
  Source prepared;
  prepared.mask_fill = source.mask_fill;
  prepared.composite = source.composite;
  for (const io::Image* image : images.images) {
    monitor.check_cancelled();
    prepared.images.push_back(resized(*image, width, height, source.resize));
  }
  std::vector<bool> is_black;
  for (const io::Image* image : masks.images) {
    monitor.check_cancelled();
    const io::Image mask =
        images::make_mask(*image, width, height, source.resize, source.invert_mask);
    is_black.push_back(images::is_black(mask));
    prepared.soft_masks.push_back(images::soften_mask(mask, source.mask_blur));
    prepared.latent_masks.push_back(images::latent_mask(prepared.soft_masks.back(), latent_width,
                                                        latent_height, geometry.latent_factor,
                                                        source.erode_mask));
  }
  for (size_t i = 0; i < request.seeds.size(); ++i) {
    Source::Row row;
    row.image = images.of_row[i];
    if (!masks.images.empty()) {
      row.mask = masks.of_row[i];
      row.is_kept = is_black[row.mask];
    }
    prepared.rows.push_back(row);
  }
  prepared.unchanged =
      request.num_running_steps() == 0 || std::ranges::all_of(prepared.rows, &Source::Row::is_kept);
  report_kept(prepared, request, monitor);
  return prepared;
}

void start_from(Pipeline& pipeline, const Source& source, DenoiseRequest* request,
                const Monitor& monitor) {
  request->init_latents = encode_rows(pipeline, source, *request, monitor);
  if (source.latent_masks.empty()) return;
  std::vector<at::Tensor> masks;
  for (const Source::Row& row : source.rows) masks.push_back(source.latent_masks[row.mask]);
  request->mask = at::cat(masks);

  at::Tensor masked;
  if (source.mask_fill == MaskFill::kLatentNothing) {
    masked = at::zeros_like(request->init_latents);
  } else if (source.mask_fill == MaskFill::kLatentNoise) {
    masked = tensor::NoiseSource(fill_seeds(request->seeds))
                 .draw_all(request->init_latents.sizes().slice(1));
  } else {
    return;
  }
  request->init_latents = at::where(request->mask.to(at::kBool), masked, request->init_latents);
}

void restore_images(const Source& source, uint8_t* generated) {
  for (const Source::Row& row : source.rows) {
    const io::Image& image = source.images[row.image];
    const size_t size = image.pixels.size();
    if (source.unchanged || row.is_kept) {
      std::ranges::copy(image.pixels, generated);
    } else if (source.composite && !source.soft_masks.empty()) {
      images::restore_unmasked(image, source.soft_masks[row.mask], {generated, size});
    }
    generated += size;
  }
}

}  // namespace kandinsky::pipelines
