#pragma once

#include <pybind11/pybind11.h>

/// What makes up the module `_core`. The Python package around it turns arrays and paths into what
/// these functions take, and their plain results into arrays and dataclasses.
namespace kandinsky::bindings {

/// StatusError and std::bad_alloc become the classes of kandinsky_engine.errors. First of all.
void register_errors(pybind11::module_& module);

/// Calls and jobs end well where the interpreter does.
void register_interpreter(pybind11::module_& module);

/// Buffer: results that numpy wraps without a copy.
void register_buffers(pybind11::module_& module);

/// version, torch_version, samplers, schedulers, families, recognize_folder, folder_digest,
/// describe_folder.
void register_library(pybind11::module_& module);

void register_embeds(pybind11::module_& module);

/// Condition, Options, and what is known about them. Before the engine.
void register_options(pybind11::module_& module);

void register_engine(pybind11::module_& module);

/// Worker, read_request_file.
void register_worker(pybind11::module_& module);

/// load_image, save_image.
void register_images(pybind11::module_& module);

}  // namespace kandinsky::bindings
