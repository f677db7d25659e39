#pragma once

#include "buffers.h"
#include "kandinsky.hpp"

namespace kandinsky::bindings {

/// DenoiseOptions as Python fills them: arrays wait for the job, which knows their shapes.
struct PyDenoiseOptions : DenoiseOptions {
  pybind11::object noise_array = pybind11::none();
  pybind11::object init_latents_array = pybind11::none();
  pybind11::object mask_array = pybind11::none();
};

/// [batch, channels, latent height, latent width]. Throws StatusError for impossible sizes.
Shape latent_shape(const Engine& engine, std::size_t batch_size, std::int32_t width,
                   std::int32_t height);

/// With the arrays read. Throws StatusError(KANDINSKY_INVALID_ARGUMENT) naming the one that does
/// not fit.
DenoiseOptions complete(const PyDenoiseOptions& options, const Engine& engine);

}  // namespace kandinsky::bindings
