#include "pipelines/geometry.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "base/error.h"
#include "options/requests.h"

namespace kandinsky::pipelines {
namespace {

int64_t latent_side(int64_t pixels, int64_t multiple, int64_t factor) {
  return (pixels + multiple - 1) / multiple * multiple / factor;
}

}  // namespace

std::pair<int64_t, int64_t> Geometry::latent_size(int64_t width, int64_t height) const {
  check_size(width, height);
  return {latent_side(height, size_multiple, latent_factor),
          latent_side(width, size_multiple, latent_factor)};
}

void Geometry::check_tiling(int64_t width, int64_t height) const {
  check_size(width, height);
  if (width % size_multiple == 0 && height % size_multiple == 0) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("tiling needs sides that are multiples of {}, got {}x{}", size_multiple,
                          width, height));
}

}  // namespace kandinsky::pipelines
