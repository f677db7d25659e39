#include <limits>
#include <string>

#include "interpreter.h"
#include "options.h"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;

/// A side as kandinsky.h takes it; the library refuses those that are too large.
std::int32_t side(py::ssize_t length) {
  constexpr py::ssize_t kMost = std::numeric_limits<std::int32_t>::max();
  return static_cast<std::int32_t>(std::min(length, kMost));
}

void save_image(const std::string& path, const py::object& pixels, const std::string& parameters) {
  const Buffer<std::uint8_t> image = read_array<std::uint8_t>(pixels, "array", {{-1, -1, 3}});
  if (image.data.empty()) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT, "array: the image is empty");
  }
  const GilRelease release;
  kandinsky::save_image(path, image.data.data(), side(image.shape[1]), side(image.shape[0]),
                        parameters);
}

py::object load_image(const std::string& path) {
  Image image = [&] {
    const GilRelease release;
    return Image::load(path);
  }();
  return to_python(std::move(image.pixels), Shape{image.height, image.width, image.channels});
}

}  // namespace

std::vector<Image> read_images(const py::list& arrays, const std::string& name) {
  std::vector<Image> images;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::string item = name + "[" + std::to_string(i) + "]";
    Buffer<std::uint8_t> array = read_array<std::uint8_t>(
        arrays[i], item.c_str(), {{-1, -1}, {-1, -1, 1}, {-1, -1, 3}, {-1, -1, 4}});
    const std::int32_t channels =
        array.shape.size() == 2 ? 1 : static_cast<std::int32_t>(array.shape[2]);
    images.push_back({std::move(array.data), side(array.shape[1]), side(array.shape[0]), channels});
  }
  return images;
}

void register_images(py::module_& module) {
  module.def("load_image", &load_image, "path"_a, "Reads PNG, JPEG or WebP: uint8 [H, W, C].");
  module.def("save_image", &save_image, "path"_a, "array"_a, "parameters"_a,
             "Writes uint8 [H, W, 3] as PNG, JPEG or WebP.");
}

}  // namespace kandinsky::bindings
