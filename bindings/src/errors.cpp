#include <array>
#include <exception>
#include <new>
#include <string>

#include "kandinsky.hpp"
#include "register.h"

namespace kandinsky::bindings {
namespace {

namespace py = pybind11;

/// Names in kandinsky_engine.errors, by status.
constexpr std::array kClassNames = {
    "",
    "InvalidArgumentError",
    "NotFoundError",
    "CorruptFileError",
    "UnsupportedError",
    "OutOfMemoryError",
    "CancelledError",
    "BusyError",
    "IncompatibleError",
    "InternalError",
    "IoError",
};
constexpr const char* kUnknown = "InternalError";

void set_error(kandinsky_status status, const char* message) {
  const auto index = static_cast<std::size_t>(status);
  const char* name = index < kClassNames.size() ? kClassNames[index] : kUnknown;
  const py::object type = py::module_::import("kandinsky_engine.errors").attr(name);
  // Messages may quote bytes of a broken file; a failure to decode them must not hide the message.
  const py::object text = py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(
      message, static_cast<Py_ssize_t>(std::char_traits<char>::length(message)), "replace"));
  if (text) PyErr_SetObject(type.ptr(), text.ptr());
}

}  // namespace

void register_errors(py::module_& /*module*/) {
  // Of this module only: torch's own translators, and its bad_alloc, stay as they are.
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const StatusError& error) {
      set_error(error.status(), error.what());
    } catch (const std::bad_alloc&) {
      set_error(KANDINSKY_OUT_OF_MEMORY,
                "there is not enough memory for images of that size and number");
    }
  });
}

}  // namespace kandinsky::bindings
