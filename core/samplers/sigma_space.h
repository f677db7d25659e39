/// Shared code of k-diffusion's solvers. Their latents x are clean + sigma * noise, unlike the
/// network's input.
#pragma once

#include <ATen/core/Tensor.h>

#include "samplers/sampler.h"

namespace kandinsky::samplers {

/// Evaluates the network for latents x in sigma space. Returns the predicted clean latents. Source:
/// k-diffusion, DiscreteEpsDDPMDenoiser.forward.
at::Tensor denoise(const SamplerInput& input, const at::Tensor& x, double sigma);

/// The derivative of x with respect to sigma.
at::Tensor to_d(const at::Tensor& x, double sigma, const at::Tensor& denoised);

/// A step to sigma_to: one down to sigma_down, plus new noise of sigma_up.
struct AncestralStep {
  double sigma_down;
  double sigma_up;
};

/// Source: k-diffusion, get_ancestral_step with eta 1.
AncestralStep ancestral_step(double sigma_from, double sigma_to);

/// Fresh standard normal noise of x's shape, one stream for each image. The reference's SDE solvers
/// use increments of one Brownian path, so that its images converge with more steps; this noise is
/// independent, so another number of steps gives another image.
at::Tensor draw_like(const SamplerInput& input, const at::Tensor& x);

/// The variable of exponential integrators: -log(sigma).
double log_time(double sigma);

}  // namespace kandinsky::samplers
