#pragma once

#include <pybind11/pybind11.h>

#include <vector>

#include "kandinsky.hpp"

namespace kandinsky::bindings {

/// Copies uint8 arrays [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]. Throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT) for anything else, naming it `name`[i].
std::vector<Picture> read_pictures(const pybind11::list& arrays, const std::string& name);

}  // namespace kandinsky::bindings
