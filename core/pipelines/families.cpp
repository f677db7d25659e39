#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "pipelines/family.h"
#include "pipelines/kandinsky_2_1.h"
#include "pipelines/kandinsky_2_1_folders.h"

namespace kandinsky::pipelines {
namespace {

constexpr std::array kFamilies{
    Family{.name = "kandinsky-2-1",
           .recognizes = recognizes_kandinsky_2_1,
           .open = open_kandinsky_2_1,
           .check_component = check_kandinsky_2_1_component,
           .native_size = kandinsky_2_1_native_size},
};

int64_t latent_side(int64_t pixels, int64_t multiple, int64_t factor) {
  return (pixels + multiple - 1) / multiple * multiple / factor;
}

}  // namespace

Span<const Family> families() { return kFamilies; }

const Family* find_family(const io::ModelDir& model) {
  for (const Family& family : kFamilies) {
    if (family.recognizes(model)) return &family;
  }
  return nullptr;
}

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
