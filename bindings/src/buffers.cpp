#include "buffers.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "kandinsky.hpp"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;

template <typename Number>
constexpr const char* kTypeName = "float32";
template <>
constexpr const char* kTypeName<std::uint8_t> = "uint8";

[[noreturn]] void refuse(const std::string& message) {
  throw StatusError(KANDINSKY_INVALID_ARGUMENT, message);
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] < 0 ? "any" : std::to_string(shape[i]);
  }
  return text + "]";
}

std::string shapes_text(const std::vector<Shape>& shapes) {
  std::string text;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (i > 0) text += i + 1 < shapes.size() ? ", " : " or ";
    text += shape_text(shapes[i]);
  }
  return text;
}

bool fits(const Shape& shape, const Shape& expected) {
  if (shape.size() != expected.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (expected[i] >= 0 && shape[i] != expected[i]) return false;
  }
  return true;
}

/// The format letter without a sign for the machine's own byte order.
std::string plain_format(std::string format) {
  if (!format.empty() && (format.front() == '=' || format.front() == '@')) format.erase(0, 1);
  if constexpr (std::endian::native == std::endian::little) {
    if (!format.empty() && format.front() == '<') format.erase(0, 1);
  }
  return format;
}

template <typename Number>
void bind_block(py::module_& module, const char* name) {
  py::class_<Block<Number>>(module, name, py::buffer_protocol(), py::module_local(),
                            "A block of numbers; numpy.asarray() wraps it.")
      .def_buffer([](Block<Number>& block) {
        return py::buffer_info(block.data.get(), sizeof(Number),
                               py::format_descriptor<Number>::format(),
                               static_cast<py::ssize_t>(block.shape.size()), block.shape,
                               py::detail::c_strides(block.shape, sizeof(Number)));
      });
}

}  // namespace

template <typename Number>
Buffer<Number> read_array(const py::object& array, const char* name,
                          const std::vector<Shape>& expected) {
  if (PyObject_CheckBuffer(array.ptr()) == 0) {
    refuse(std::string(name) + ": a numpy array of " + kTypeName<Number> + " is needed, got " +
           Py_TYPE(array.ptr())->tp_name);
  }
  const py::buffer_info info = py::reinterpret_borrow<py::buffer>(array).request();
  if (plain_format(info.format) != py::format_descriptor<Number>::format()) {
    refuse(std::string(name) + ": the numbers must be " + kTypeName<Number> +
           ", got the buffer format \"" + info.format + "\"");
  }
  const auto is_shape = [&](const Shape& shape) { return fits(info.shape, shape); };
  if (std::none_of(expected.begin(), expected.end(), is_shape)) {
    refuse(std::string(name) + ": the shape must be " + shapes_text(expected) + ", got " +
           shape_text(info.shape));
  }
  std::vector<Number> numbers(static_cast<std::size_t>(info.size));
  if (PyBuffer_ToContiguous(numbers.data(), info.view(), info.view()->len, 'C') != 0)
    throw py::error_already_set();
  return {std::move(numbers), info.shape};
}

template Buffer<float> read_array<float>(const py::object&, const char*, const std::vector<Shape>&);
template Buffer<std::uint8_t> read_array<std::uint8_t>(const py::object&, const char*,
                                                       const std::vector<Shape>&);

void register_buffers(py::module_& module) {
  bind_block<float>(module, "FloatBuffer");
  bind_block<std::uint8_t>(module, "ByteBuffer");
}

}  // namespace kandinsky::bindings
