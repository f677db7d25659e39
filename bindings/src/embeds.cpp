#include "embeds.h"

#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "buffers.h"
#include "interpreter.h"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;

SharedEmbeds load(const std::string& path) {
  const GilRelease release;
  return std::make_shared<Embeds>(Embeds::load(path));
}

std::vector<const Embeds*> raw_items(const std::vector<SharedEmbeds>& items) {
  std::vector<const Embeds*> raw;
  raw.reserve(items.size());
  for (const SharedEmbeds& item : items) raw.push_back(item.get());
  return raw;
}

SharedEmbeds combine(const std::vector<SharedEmbeds>& items, const std::vector<double>& weights,
                     const SharedEmbeds& text, const std::string& method) {
  const GilRelease release;
  return std::make_shared<Embeds>(Embeds::combine(raw_items(items), weights, text.get(), method));
}

SharedEmbeds concat(const std::vector<SharedEmbeds>& items) {
  const GilRelease release;
  return std::make_shared<Embeds>(Embeds::concat(raw_items(items)));
}

SharedEmbeds select(const SharedEmbeds& embeds, const std::vector<std::int32_t>& rows) {
  const GilRelease release;
  return std::make_shared<Embeds>(embeds->select(rows));
}

py::object tensor(const Embeds& embeds, const std::string& name) {
  std::int64_t shape[3] = {};
  const float* data = embeds.tensor(name.c_str(), shape);
  Shape dimensions = {static_cast<py::ssize_t>(shape[0]), static_cast<py::ssize_t>(shape[1])};
  if (shape[2] != 0) dimensions.push_back(static_cast<py::ssize_t>(shape[2]));
  const auto count = static_cast<std::size_t>(shape[0] * shape[1] * (shape[2] != 0 ? shape[2] : 1));
  return to_python(std::vector<float>(data, data + count), std::move(dimensions));
}

}  // namespace

void register_embeds(py::module_& module) {
  py::class_<Embeds, SharedEmbeds>(module, "Embeds", py::module_local())
      .def_property_readonly("batch_size", &Embeds::batch_size)
      .def("tensor", &tensor, "name"_a)
      .def(
          "save",
          [](const SharedEmbeds& embeds, const std::string& path) {
            const GilRelease release;
            embeds->save(path);
          },
          "path"_a)
      .def_static("load", &load, "path"_a)
      .def("select", &select, "rows"_a)
      .def_static("combine", &combine, "items"_a, "weights"_a, "text"_a, "method"_a)
      .def_static("concat", &concat, "items"_a);
}

}  // namespace kandinsky::bindings
