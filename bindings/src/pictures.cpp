#include "pictures.h"

#include <limits>
#include <string>

#include "buffers.h"
#include "interpreter.h"
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

void save_picture(const std::string& path, const py::object& pixels,
                  const std::string& parameters) {
  const Buffer<std::uint8_t> picture = read_array<std::uint8_t>(pixels, "array", {{-1, -1, 3}});
  if (picture.data.empty()) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT, "array: the picture is empty");
  }
  const GilRelease release;
  kandinsky::save_picture(path, picture.data.data(), side(picture.shape[1]), side(picture.shape[0]),
                          parameters);
}

py::object load_picture(const std::string& path) {
  Picture picture = [&] {
    const GilRelease release;
    return Picture::load(path);
  }();
  return to_python(std::move(picture.pixels),
                   Shape{picture.height, picture.width, picture.channels});
}

}  // namespace

std::vector<Picture> read_pictures(const py::list& arrays, const std::string& name) {
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::string item = name + "[" + std::to_string(i) + "]";
    Buffer<std::uint8_t> array = read_array<std::uint8_t>(
        arrays[i], item.c_str(), {{-1, -1}, {-1, -1, 1}, {-1, -1, 3}, {-1, -1, 4}});
    const std::int32_t channels =
        array.shape.size() == 2 ? 1 : static_cast<std::int32_t>(array.shape[2]);
    pictures.push_back(
        {std::move(array.data), side(array.shape[1]), side(array.shape[0]), channels});
  }
  return pictures;
}

void register_pictures(py::module_& module) {
  module.def("load_picture", &load_picture, "path"_a, "Reads PNG, JPEG or WebP: uint8 [H, W, C].");
  module.def("save_picture", &save_picture, "path"_a, "array"_a, "parameters"_a,
             "Writes uint8 [H, W, 3] as PNG, JPEG or WebP.");
}

}  // namespace kandinsky::bindings
