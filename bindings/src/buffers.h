#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace kandinsky::bindings {

using Shape = std::vector<pybind11::ssize_t>;

/// The numbers of an array.
template <typename Number>
struct Buffer {
  std::vector<Number> data;
  Shape shape;
};

/// Numbers that numpy can wrap, and what owns them.
template <typename Number>
struct Block {
  std::shared_ptr<Number[]> data;
  Shape shape;
};

/// A copy of the numbers of an array, whatever its strides. `name` is what messages call it; in the
/// shapes that are expected, any one of which will do, a dimension of -1 may be anything. Throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT) for anything but an array of Number and such a shape.
template <typename Number>
Buffer<Number> read_array(const pybind11::object& array, const char* name,
                          const std::vector<Shape>& expected);

extern template Buffer<float> read_array<float>(const pybind11::object&, const char*,
                                                const std::vector<Shape>&);
extern template Buffer<std::uint8_t> read_array<std::uint8_t>(const pybind11::object&, const char*,
                                                              const std::vector<Shape>&);

/// As a Python object that numpy.asarray() takes without a copy.
template <typename Number>
pybind11::object to_python(std::shared_ptr<Number[]> data, Shape shape) {
  return pybind11::cast(Block<Number>{std::move(data), std::move(shape)});
}
template <typename Number>
pybind11::object to_python(std::vector<Number> data, Shape shape) {
  const auto owner = std::make_shared<std::vector<Number>>(std::move(data));
  return to_python(std::shared_ptr<Number[]>(owner, owner->data()), std::move(shape));
}

}  // namespace kandinsky::bindings
