#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "interpreter.h"
#include "kandinsky.hpp"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;
using py::literals::operator""_a;

Folder open_folder(const std::string& path) {
  const GilRelease release;
  return Folder(path);
}

std::pair<std::string, std::string> recognize(const std::string& path) {
  const GilRelease release;
  const RecognizedFolder found = recognize_folder(path);
  return {found.family, found.role};
}

std::string digest(const std::string& path) {
  const GilRelease release;
  return folder_digest(path);
}

py::dict describe_folder(const std::string& path) {
  const Folder folder = open_folder(path);
  py::list components;
  for (const kandinsky_component_info& component : folder.components()) {
    components.append(py::dict("name"_a = component.name, "class_name"_a = component.class_name,
                               "dtype"_a = component.dtype, "tensors"_a = component.tensors,
                               "parameters"_a = component.parameters, "bytes"_a = component.bytes,
                               "is_checked"_a = component.is_checked != 0));
  }
  return py::dict("pipeline"_a = folder.pipeline(), "family"_a = folder.family(),
                  "native_size"_a = folder.native_size(), "components"_a = components);
}

/// Names with a line about each.
py::dict described(const std::vector<std::string>& names,
                   const std::vector<std::string>& descriptions) {
  py::dict table;
  for (std::size_t i = 0; i < names.size(); ++i) table[py::str(names[i])] = descriptions[i];
  return table;
}

}  // namespace

void register_library(py::module_& module) {
  module.def("version", &kandinsky_version, "The library's version.");
  module.def("torch_version", &kandinsky_torch_version, "The version of the LibTorch it uses.");
  module.def("samplers", [] { return described(sampler_names(), sampler_descriptions()); });
  module.def("schedulers", [] { return described(scheduler_names(), scheduler_descriptions()); });
  module.def("speedups", [] { return described(speedup_names(), speedup_descriptions()); });
  module.def("families", &family_names, "Names of all model families.");
  module.def("recognize_folder", &recognize, "path"_a, "Its family and role.");
  module.def("folder_digest", &digest, "path"_a, "Tells its weights from others.");
  module.def("describe_folder", &describe_folder, "path"_a, "What a model folder holds.");
}

}  // namespace kandinsky::bindings
