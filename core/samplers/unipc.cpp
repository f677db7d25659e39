#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "samplers/algorithms.h"
#include "samplers/start.h"

namespace kandinsky::samplers {
namespace {

/// The paper's symbols of a level: latents are alpha * clean + sigma * noise.
struct Point {
  double alpha;
  double sigma;
  double lambda;  ///< log(alpha / sigma)
};

Point point_of(const Level& level) {
  const double alpha = 1.0 / std::sqrt(1.0 + level.sigma * level.sigma);
  return {.alpha = alpha, .sigma = level.sigma * alpha, .lambda = -std::log(level.sigma)};
}

/// m: the model's prediction of clean latents; `previous` is that of the step before and undefined
/// in a first order step. As in the paper's algorithms 5 to 8.
struct Model {
  at::Tensor m;
  at::Tensor previous;
  double h_previous = 0.0;  ///< from the level of `previous` to that of m
};

/// From x at `from` to `to`, which is not the clean end.
at::Tensor predict(const at::Tensor& x, const Point& from, const Point& to, const Model& model) {
  const double h = to.lambda - from.lambda;
  const double phi = std::expm1(-h);
  at::Tensor result = (to.sigma / from.sigma) * x - to.alpha * phi * model.m;
  if (model.previous.defined()) {
    const double r = -model.h_previous / h;
    result = result - to.alpha * phi * 0.5 * ((model.previous - model.m) / r);
  }
  return result;
}

/// The same step again, with the model's prediction at its end, m_to.
at::Tensor correct(const at::Tensor& x, const Point& from, const Point& to, const Model& model,
                   const at::Tensor& m_to) {
  const double h = to.lambda - from.lambda;
  const double hh = -h;
  const double phi = std::expm1(hh);
  const double phi_1 = phi / hh - 1.0;
  at::Tensor correction = 0.5 * (m_to - model.m);
  if (model.previous.defined()) {
    const double r = -model.h_previous / h;
    const double b_1 = phi_1 / phi;
    const double b_2 = 2.0 * (phi_1 / hh - 0.5) / phi;
    // Of rho_1 + rho_2 = b_1 and r rho_1 + rho_2 = b_2.
    const double rho_1 = (b_1 - b_2) / (1.0 - r);
    const double rho_2 = b_1 - rho_1;
    correction = rho_1 * ((model.previous - model.m) / r) + rho_2 * (m_to - model.m);
  }
  return (to.sigma / from.sigma) * x - to.alpha * phi * model.m - to.alpha * phi * correction;
}

}  // namespace

Levels unipc_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const int64_t last = schedule.num_train_timesteps() - 1;
  if (num_inference_steps < 1 || num_inference_steps > last) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("steps is {}; UniPC takes 1 to {} steps, more with another scheduler "
                            "than Automatic",
                            num_inference_steps, last));
  }
  // In the reference's order of operations, since it decides where halves are rounded to.
  const double stride = static_cast<double>(last) / num_inference_steps;
  Levels levels;
  for (int i = num_inference_steps; i > 0; --i)
    levels.push_back(level_at_timestep(schedule, static_cast<int64_t>(std::nearbyint(i * stride))));
  levels.emplace_back();
  return levels;
}

/// UniPC (Zhao et al. 2023) of order 2, B2(h), predicting clean latents. Source: diffusers,
/// UniPCMultistepScheduler.
at::Tensor sample_unipc(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_latents(input, levels.front());
  at::Tensor x_before;  // x and model of the step before
  Model model;
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const Point point = point_of(levels[i]);
    const at::Tensor noise_pred = input.denoiser(x, levels[i].timestep).noise_pred;
    const at::Tensor m = (x - point.sigma * noise_pred) / point.alpha;
    Model next{.m = m, .previous = {}, .h_previous = 0.0};
    if (i > 0) {
      const Point before = point_of(levels[i - 1]);
      x = correct(x_before, before, point, model, m);
      next.previous = model.m;
      next.h_previous = point.lambda - before.lambda;
    }
    model = next;
    x_before = x;
    // The clean end has no lambda; a first order step there gives the prediction itself.
    x = levels[i + 1].sigma > 0.0 ? predict(x, point, point_of(levels[i + 1]), model) : m;
    if (!input.observer(static_cast<int>(i) + 1, m)) return m;
  }
  return x;
}

}  // namespace kandinsky::samplers
