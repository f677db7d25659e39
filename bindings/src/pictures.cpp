#include "buffers.h"
#include "kandinsky.hpp"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;

void save_picture(const std::string& path, const py::object& pixels,
                  const std::string& parameters) {
  const Buffer<std::uint8_t> picture = read_array<std::uint8_t>(pixels, "array", {-1, -1, 3});
  const auto height = static_cast<std::int32_t>(picture.shape[0]);
  const auto width = static_cast<std::int32_t>(picture.shape[1]);
  if (height != picture.shape[0] || width != picture.shape[1] || picture.data.empty()) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT, "array: the picture is empty or too large");
  }
  const py::gil_scoped_release release;
  kandinsky::save_picture(path, picture.data.data(), width, height, parameters);
}

}  // namespace

void register_pictures(py::module_& module) {
  module.def("save_picture", &save_picture, "path"_a, "array"_a, "parameters"_a,
             "Writes uint8 [H, W, 3] as PNG, JPEG or WebP.");
}

}  // namespace kandinsky::bindings
