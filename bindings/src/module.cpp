#include "register.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name is part of the package
PYBIND11_MODULE(_core, module) {
  module.doc() =
      "The engine's calls, one to one; the package kandinsky_engine is the interface to use.";
  kandinsky::bindings::register_errors(module);
  kandinsky::bindings::register_interpreter(module);
  kandinsky::bindings::register_buffers(module);
  kandinsky::bindings::register_library(module);
  kandinsky::bindings::register_embeds(module);
  kandinsky::bindings::register_options(module);
  kandinsky::bindings::register_engine(module);
  kandinsky::bindings::register_worker(module);
  kandinsky::bindings::register_images(module);
}
