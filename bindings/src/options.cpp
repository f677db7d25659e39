#include "options.h"

#include <pybind11/stl.h>

#include <array>
#include <string>
#include <vector>

#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;

kandinsky_condition make_condition(std::int32_t row, std::int32_t image, std::int32_t first_step,
                                   std::int32_t last_step, double weight) {
  return {row, image, first_step, last_step, weight};
}

void set_floats(Options& options, const std::string& name, const py::object& array) {
  const Buffer<float> floats = read_array<float>(array, name.c_str(), {{-1, -1, -1, -1}});
  std::array<std::int64_t, 4> shape{};
  std::copy(floats.shape.begin(), floats.shape.end(), shape.begin());
  options.set(name, floats.data, shape);
}

std::vector<std::string> strings_of(const std::vector<py::bytes>& values) {
  return {values.begin(), values.end()};
}

/// A row of the table of options.
py::dict describe(const kandinsky_option_info& info) {
  constexpr std::array kTypes{"flag",  "integer", "number", "text",       "path", "texts",
                              "seeds", "floats",  "images", "conditions", "paths"};
  const bool has_range = info.type == KANDINSKY_INTEGER || info.type == KANDINSKY_NUMBER;
  py::list words;
  for (std::size_t i = 0; i < info.word_count; ++i) words.append(info.words[i]);
  return py::dict(
      "name"_a = info.name, "type"_a = kTypes.at(info.type), "group"_a = info.group,
      "default"_a = info.default_value == nullptr ? py::object(py::none())
                                                  : py::object(py::str(info.default_value)),
      "minimum"_a = has_range ? py::object(py::float_(info.minimum)) : py::none(),
      "maximum"_a = has_range ? py::object(py::float_(info.maximum)) : py::none(),
      "words"_a = words, "unit"_a = info.unit, "help"_a = info.help, "source"_a = info.source);
}

py::list describe_options(const std::string& operation) {
  py::list all;
  for (const kandinsky_option_info& info : option_infos(operation)) all.append(describe(info));
  return all;
}

}  // namespace

void register_options(py::module_& module) {
  py::class_<kandinsky_condition>(module, "Condition", py::module_local())
      .def(py::init(&make_condition), "row"_a, "image"_a, "first_step"_a, "last_step"_a,
           "weight"_a);

  module.def("operations", &operation_names, "What options are for: names of calls.");
  module.def("options", &describe_options, "operation"_a, "The options of a call.");

  py::class_<Options>(module, "Options", py::module_local())
      .def(py::init<const std::string&>(), "operation"_a)
      .def("text", &Options::text, "name"_a, "The value as text, as describe() has the default.")
      .def("set_flag",
           [](Options& self, const std::string& name, bool value) { self.set(name, value); })
      .def("set_integer", [](Options& self, const std::string& name,
                             std::int64_t value) { self.set(name, value); })
      .def("set_number",
           [](Options& self, const std::string& name, double value) { self.set(name, value); })
      .def("set_text", [](Options& self, const std::string& name,
                          const std::string& value) { self.set(name, value); })
      .def("set_path", [](Options& self, const std::string& name,
                          const py::bytes& value) { self.set(name, std::string(value)); })
      .def("set_texts", [](Options& self, const std::string& name,
                           const std::vector<std::string>& values) { self.set(name, values); })
      .def("set_paths",
           [](Options& self, const std::string& name, const std::vector<py::bytes>& values) {
             self.set(name, strings_of(values));
           })
      .def("set_seeds", [](Options& self, const std::string& name,
                           const std::vector<std::uint64_t>& values) { self.set(name, values); })
      .def("set_floats", &set_floats)
      .def("set_images", [](Options& self, const std::string& name,
                            const py::list& arrays) { self.set(name, read_images(arrays, name)); })
      .def("set_conditions",
           [](Options& self, const std::string& name,
              const std::vector<kandinsky_condition>& values) { self.set(name, values); });
}

}  // namespace kandinsky::bindings
