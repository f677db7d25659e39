#include <pybind11/stl.h>

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

}  // namespace

void register_library(py::module_& module) {
  module.def("version", &kandinsky_version, "The library's version.");
  module.def("torch_version", &kandinsky_torch_version, "The version of the LibTorch it uses.");
  module.def("samplers", &sampler_names, "Names of all samplers.");
  module.def("schedulers", &scheduler_names, "Names of all schedulers.");
  module.def(
      "speedups",
      [] {
        py::dict speedups;
        const std::vector<std::string> names = speedup_names();
        const std::vector<std::string> descriptions = speedup_descriptions();
        for (size_t i = 0; i < names.size(); ++i)
          speedups[py::str(names[i])] = py::str(descriptions[i]);
        return speedups;
      },
      "Names of all speed-ups, with a line about each.");
  module.def("families", &family_names, "Names of all model families.");
  module.def("describe_folder", &describe_folder, "path"_a, "What a model folder holds.");
}

}  // namespace kandinsky::bindings
