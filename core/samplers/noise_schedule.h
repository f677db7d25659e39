#pragma once

#include <cstdint>
#include <vector>

#include "io/json_config.h"
#include "samplers/ddpm_config.h"

namespace kandinsky::samplers {

/// The forward process that the decoder was trained with, from a scheduler_config.json.
struct NoiseSchedule {
  /// Cumulative products of 1 - beta, one for each training step. Computed in fp32, since the
  /// reference's rounding is visible.
  std::vector<float> alphas_cumprod;
  /// Added to every timestep of evenly spaced schedules.
  int64_t steps_offset = 0;
  /// Used as alphas_cumprod before timestep 0.
  float final_alpha_cumprod = 1.0F;
  /// DDIM clips the predicted clean latents to this. 0: no clipping.
  double clip_sample_range = 0.0;
  /// The sampler of diffusers' pipeline: DDPM if the config is a DDPMScheduler's.
  const char* own_sampler = "DDIM";
  /// Settings of the sampler DDPM besides the table: from the config if it is DDPM's own.
  DdpmConfig ddpm;

  int64_t num_train_timesteps() const { return static_cast<int64_t>(alphas_cumprod.size()); }

  /// Noise per unit of clean latents, sqrt((1 - alpha) / alpha), at a timestep of 0 to
  /// num_train_timesteps - 1; between whole timesteps linear in its logarithm. Timesteps outside
  /// are clamped. Source: k-diffusion, DiscreteSchedule.t_to_sigma.
  double sigma(double timestep) const;

  /// The inverse of sigma(), fractional. Source: k-diffusion, DiscreteSchedule.sigma_to_t.
  double timestep(double sigma) const;

  /// alphas_cumprod at a possibly fractional timestep, so that
  ///   clean = (latents - sqrt(1 - alpha) * noise_pred) / sqrt(alpha)
  /// holds for every sampler's input to its denoiser.
  double alpha_cumprod_at(double timestep) const;

  double sigma_min() const { return sigma(0.0); }
  double sigma_max() const { return sigma(static_cast<double>(num_train_timesteps() - 1)); }

  /// Throws Error(kUnsupported) for a kind of schedule or prediction that no Kandinsky decoder has,
  /// Error(kCorruptFile) for an invalid schedule. Source: diffusers, DDIMScheduler.
  static NoiseSchedule from_json(const io::JsonConfig& json);
};

}  // namespace kandinsky::samplers
