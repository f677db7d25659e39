#include "jobs/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "jobs/settings.h"

namespace kandinsky::jobs {
namespace {

constexpr double kMostNativeAreas = 4;

std::int32_t to_side(double pixels, std::int32_t multiple) {
  const double most = option_info("width").maximum;
  const double rounded = std::round(pixels / multiple) * multiple;
  return static_cast<std::int32_t>(
      std::clamp<double>(rounded, multiple, std::floor(most / multiple) * multiple));
}

}  // namespace

Size choose_size(std::optional<std::int32_t> width, std::optional<std::int32_t> height,
                 const Image* source, std::int32_t native_size, std::int32_t multiple) {
  if (width && height) return {*width, *height};
  double own_width = native_size;
  double own_height = native_size;
  if (source != nullptr) {
    const double most = kMostNativeAreas * native_size * native_size;
    const double area = static_cast<double>(source->width) * source->height;
    double scale = std::min(1.0, std::sqrt(most / area));
    if (width) scale = static_cast<double>(*width) / source->width;
    if (height) scale = static_cast<double>(*height) / source->height;
    own_width = source->width * scale;
    own_height = source->height * scale;
  }
  return {width ? *width : to_side(own_width, multiple),
          height ? *height : to_side(own_height, multiple)};
}

}  // namespace kandinsky::jobs
