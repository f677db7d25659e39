#pragma once

#include "buffers.h"
#include "kandinsky.hpp"

namespace kandinsky::bindings {

/// uint8 arrays as images, copied. `name` is what messages call the list. Throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT).
std::vector<Image> read_images(const pybind11::list& arrays, const std::string& name);

}  // namespace kandinsky::bindings
