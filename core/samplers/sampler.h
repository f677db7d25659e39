/// A sampler: one function that runs the whole loop, and a row in the table of all samplers.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string_view>

#include "base/span.h"
#include "samplers/levels.h"
#include "samplers/noise_schedule.h"
#include "tensor/noise.h"

namespace kandinsky::samplers {

/// The network's prediction, both [B, C, h, w] in fp32 on the CPU.
struct Prediction {
  at::Tensor noise_pred;          ///< guided
  at::Tensor predicted_variance;  ///< for samplers that learned variance: about [-1, 1]; undefined
                                  ///< if the network has none
};

/// Evaluates the network. latents: [B, C, h, w] fp32 on the CPU, with variance 1 for unit-variance
/// data; timestep may be fractional.
using Denoiser = std::function<Prediction(const at::Tensor& latents, double timestep)>;

/// Called after each step, with the number of steps done, counted from 1 without the skipped ones,
/// and the predicted clean latents. False ends the loop early.
using StepObserver = std::function<bool(int step, const at::Tensor& pred_original_sample)>;

/// The start of a loop. Undefined tensors: pure noise.
struct SamplerStart {
  /// Clean latents [B, C, h, w]; the sampler adds noise for the level of its first step.
  at::Tensor init_latents;
  /// Noised latents [B, C, h, w], with variance 1 for unit-variance data, used unchanged. At most
  /// one of the two is given.
  at::Tensor noised_latents;
  /// Steps skipped at the noisy end of the schedule, 0 to num_inference_steps - 1.
  int skipped_steps = 0;
};

struct SamplerInput {
  const NoiseSchedule& schedule;
  std::string_view scheduler = "Automatic";  ///< a name in the table of schedulers
  Span<const double> sigmas{};               ///< levels to use instead, unless empty
  int num_inference_steps = 0;               ///< of the whole schedule, including skipped ones
  SamplerStart start{};
  at::Tensor noise;                ///< [B, C, h, w], standard normal, fp32 on the CPU
  tensor::NoiseSource& generator;  ///< further noise, one stream per image
  const Denoiser& denoiser;
  const StepObserver& observer;
};

/// The whole loop over these levels, without skipped ones: levels.size() - 1 steps, at least
/// one. Returns clean latents [B, C, h, w]; if the observer ended it early, their last prediction.
using SamplerFunction = at::Tensor (*)(const SamplerInput& input, const Levels& levels);

struct Sampler {
  SamplerFunction run;
  const char* name;                                          ///< as in hosts
  const char* description;                                   ///< one line for users
  LevelsFunction own_levels;                                 ///< of the scheduler "Automatic"
  LevelsFunction optimized_levels = optimized_euler_levels;  ///< of "Optimized"
  /// A scheduler returns one level more, and the least noisy one is omitted, as in hosts for
  /// solvers that handle that step badly.
  bool discards_next_to_last_sigma = false;
  int model_calls = 1;       ///< of the network, in every step except the last
  bool draws_noise = false;  ///< in its steps, so that more steps do not converge to one image
  bool takes_reference_noise = false;  ///< supports InitNoise::kReference

  /// Runs the loop. Throws Error(kInvalidArgument) as levels() does, and for skipped steps out of
  /// range or two starts at once.
  at::Tensor sample(const SamplerInput& input) const;

  /// The levels of a whole loop: those of the sigmas, or else the scheduler's.
  /// Throws Error(kInvalidArgument) for an unknown scheduler, for an unsupported number of steps,
  /// with the range, and for sigmas of another number or outside the schedule.
  Levels levels(const NoiseSchedule& schedule, int num_inference_steps,
                std::string_view scheduler = "Automatic", Span<const double> sigmas = {}) const;

  /// Throws as levels() does.
  void check_steps(const NoiseSchedule& schedule, int num_inference_steps,
                   std::string_view scheduler = "Automatic", Span<const double> sigmas = {}) const;
};

/// The table of all samplers.
Span<const Sampler> samplers();

/// The sampler of that name, in any case. Throws Error(kInvalidArgument) listing the known ones.
const Sampler& find_sampler(std::string_view name);

}  // namespace kandinsky::samplers
