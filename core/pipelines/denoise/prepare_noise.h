#pragma once

#include <ATen/core/Tensor.h>

#include "options/requests.h"
#include "pipelines/geometry.h"
#include "tensor/noise.h"

namespace kandinsky::pipelines {

/// The noise that a request starts from, [B, C, h, w] fp32 on the CPU: the next draw of
/// `generator`, changed by variation seeds and seed resize, or the request's own noise. The
/// generator makes the same draws in any case, so that the sampler's later draws do not depend on
/// it. Source: AUTOMATIC1111/stable-diffusion-webui, modules/rng.py, ImageRNG.first.
at::Tensor prepare_noise(const DenoiseRequest& request, const Geometry& geometry,
                         tensor::NoiseSource& generator);

}  // namespace kandinsky::pipelines
