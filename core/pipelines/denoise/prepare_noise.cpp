#include "pipelines/denoise/prepare_noise.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/acos.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "options/requests.h"
#include "pipelines/geometry.h"
#include "tensor/noise.h"

namespace kandinsky::pipelines {
namespace {

constexpr double kAlmostParallel = 0.9995;

/// Spherical interpolation of two maps [C, h, w], column by column (along h) as in hosts. It equals
/// theirs including rounding, so that a seed and its variation give the same image.
at::Tensor slerp(const at::Tensor& from, const at::Tensor& to, double strength) {
  const auto direction = [](const at::Tensor& x) { return x / at::norm(x, 2, {1}, true); };
  const at::Tensor cosine = (direction(from) * direction(to)).sum(1);
  // Only for a seed that is its own variation: then the order of the two does not matter.
  if (cosine.mean().item<double>() > kAlmostParallel)
    return from * strength + to * (1.0 - strength);
  const at::Tensor angle = at::acos(cosine);
  const at::Tensor sine = at::sin(angle);
  return (at::sin((1.0 - strength) * angle) / sine).unsqueeze(1) * from +
         (at::sin(strength * angle) / sine).unsqueeze(1) * to;
}

/// One side of a map that is pasted onto the middle of another one.
struct Overlap {
  int64_t from = 0;  ///< start in the pasted map
  int64_t to = 0;    ///< start in the map below
  int64_t size = 0;

  Overlap(int64_t from_size, int64_t to_size)
      : from(std::max<int64_t>(from_size - to_size + 1, 0) / 2),
        to(std::max<int64_t>(to_size - from_size, 0) / 2),
        size(from_size - 2 * from) {}
};

/// Pastes the middle of `noise` onto the middle of `base`, both [C, h, w].
void paste_centred(const at::Tensor& noise, at::Tensor& base) {
  const Overlap rows(noise.size(1), base.size(1));
  const Overlap columns(noise.size(2), base.size(2));
  base.narrow(1, rows.to, rows.size)
      .narrow(2, columns.to, columns.size)
      .copy_(noise.narrow(1, rows.from, rows.size).narrow(2, columns.from, columns.size));
}

}  // namespace

at::Tensor prepare_noise(const DenoiseRequest& request, const Geometry& geometry,
                         tensor::NoiseSource& generator) {
  const auto [height, width] = geometry.latent_size(request.width, request.height);
  at::Tensor base = generator.draw_all({geometry.latent_channels, height, width});
  if (request.noise.defined()) return request.noise;

  const bool is_resized = request.seed_resize_width > 0;
  const bool is_varied = request.variation_strength > 0.0;
  if (!is_resized && !is_varied) return base;

  const auto [noise_height, noise_width] =
      is_resized ? geometry.latent_size(request.seed_resize_width, request.seed_resize_height)
                 : std::pair(height, width);
  const std::vector<int64_t> shape{geometry.latent_channels, noise_height, noise_width};
  at::Tensor noise = base;
  if (noise_height != height || noise_width != width)
    noise = tensor::NoiseSource(request.seeds).draw_all(shape);
  if (is_varied) {
    const at::Tensor variation = tensor::NoiseSource(request.variation_seeds).draw_all(shape);
    std::vector<at::Tensor> rows;
    for (int64_t i = 0; i < noise.size(0); ++i)
      rows.push_back(slerp(noise[i], variation[i], request.variation_strength));
    noise = at::stack(rows);
  }
  if (noise.sizes() == base.sizes()) return noise;
  for (int64_t i = 0; i < base.size(0); ++i) {
    at::Tensor row = base[i];
    paste_centred(noise[i], row);
  }
  return base;
}

}  // namespace kandinsky::pipelines
