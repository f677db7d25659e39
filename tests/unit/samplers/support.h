#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <string_view>
#include <vector>

#include "samplers/sampler.h"

namespace kandinsky::test {

/// The decoder's own noise schedule.
inline samplers::NoiseSchedule decoder_schedule() {
  return samplers::NoiseSchedule::from_json(io::JsonConfig::parse(
      R"({"beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1, "set_alpha_to_one": false, "clip_sample": false})",
      "test"));
}

/// A perfect denoiser: what it is trained on is normally distributed numbers.
struct NormalData {
  double mean = 0.1;
  double deviation = 0.2;

  at::Tensor noise_pred(const samplers::NoiseSchedule& schedule, const at::Tensor& latents,
                        double timestep) const {
    const double alpha = schedule.alpha_cumprod_at(timestep);
    const double variance = alpha * deviation * deviation + 1.0 - alpha;
    const at::Tensor off = latents - std::sqrt(alpha) * mean;
    return off * (std::sqrt(1.0 - alpha) / variance);
  }
};

/// One run of a sampler on NormalData, and what it did.
struct SamplerRun {
  // What it is given.
  std::vector<uint64_t> seeds = {1};
  int steps = 10;
  std::string_view scheduler = "Automatic";
  std::vector<double> sigmas = {};
  samplers::SamplerStart start = {};
  int stop_after = 0;                        ///< the observer ends it after this step; 0: never
  at::Tensor variance = {};                  ///< what the network says of its variance
  std::vector<int64_t> shape = {4, 16, 16};  ///< of one image
  samplers::NoiseSchedule schedule = decoder_schedule();

  // What comes of it.
  at::Tensor latents = {};
  std::vector<at::Tensor> inputs = {};  ///< of each call of the network
  std::vector<double> timesteps = {};
  std::vector<at::Tensor> clean = {};  ///< as the observer saw it
  at::Tensor next_draw = {};           ///< what the generators would give next

  SamplerRun& with(const samplers::Sampler& sampler) {
    tensor::NoiseSource generator(seeds);
    const samplers::Denoiser denoiser = [&](const at::Tensor& x, double timestep) {
      inputs.push_back(x);
      timesteps.push_back(timestep);
      return samplers::Prediction{NormalData().noise_pred(schedule, x, timestep), variance};
    };
    const samplers::StepObserver observer = [&](int step, const at::Tensor& pred) {
      clean.push_back(pred);
      return step != stop_after;
    };
    const at::Tensor noise = generator.draw_all(shape);
    latents = sampler.sample({.schedule = schedule,
                              .scheduler = scheduler,
                              .sigmas = sigmas,
                              .num_inference_steps = steps,
                              .start = start,
                              .noise = noise,
                              .generator = generator,
                              .denoiser = denoiser,
                              .observer = observer});
    next_draw = generator.draw_all(shape);
    return *this;
  }
};

}  // namespace kandinsky::test
