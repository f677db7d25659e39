#pragma once

#include <pybind11/pybind11.h>

#include <cstring>

namespace kandinsky::bindings {

/// What people read. Bytes that are not UTF-8, of a file's name or content, are replaced.
inline pybind11::object to_text(const char* text) {
  PyObject* const decoded =
      PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "replace");
  if (decoded == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(decoded);
}

/// As os.fsdecode() gives it, so that any path finds its file again.
inline pybind11::object to_path(const char* path) {
  PyObject* const decoded = PyUnicode_DecodeFSDefault(path);
  if (decoded == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(decoded);
}

}  // namespace kandinsky::bindings
