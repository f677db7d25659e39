/// The prior's own process: it predicts clean embeddings under a cosine schedule, with noise in
/// every step.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "io/json_config.h"
#include "samplers/sampler.h"

namespace kandinsky::samplers {

struct UnclipSchedule {
  std::vector<float> betas;
  std::vector<float> alphas_cumprod;
  float clip_sample_range = 10.0F;

  /// Throws Error(kUnsupported) for another kind of schedule than the priors'. Source: diffusers,
  /// UnCLIPScheduler.
  static UnclipSchedule from_json(const io::JsonConfig& json);
};

/// num_inference_steps timesteps from the last to 0, largest first. Throws Error(kInvalidArgument)
/// unless 2 to the table's length.
std::vector<int64_t> unclip_timesteps(const UnclipSchedule& schedule, int num_inference_steps);

/// The network's guided prediction of the clean embeddings, fp32 on the CPU, of the input's shape.
using CleanPredictor = std::function<at::Tensor(const at::Tensor& latents, double timestep)>;

/// Fresh standard normal noise of the latents' shape, fp32 on the CPU.
using NoiseDraw = std::function<at::Tensor()>;

/// The start of a loop.
struct UnclipStart {
  int num_inference_steps = 0;  ///< of the whole schedule, including skipped ones
  int skipped_steps = 0;        ///< at its noisy end, less than all
  at::Tensor init_latents{};    ///< clean, noised for the first step; undefined: noise
};

/// Runs the loop; draws noise once at the start and in each step except the last. Source:
/// diffusers, UnCLIPScheduler.step and add_noise.
at::Tensor sample_unclip(const UnclipSchedule& schedule, const UnclipStart& start,
                         const NoiseDraw& draw, const CleanPredictor& predictor,
                         const StepObserver& observer);

}  // namespace kandinsky::samplers
