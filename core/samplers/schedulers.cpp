#include "samplers/schedulers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "samplers/beta_distribution.h"
#include "samplers/lookup.h"

namespace kandinsky::samplers {
namespace {

constexpr double kKarrasRho = 7.0;
constexpr double kPolyexponentialRho = 1.0;
constexpr double kBetaShape = 0.6;

void check_steps(int num_inference_steps, int64_t most) {
  if (num_inference_steps >= 1 && num_inference_steps <= most) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("the schedule has no levels for {} steps, expected 1 to {}",
                          num_inference_steps, most));
}

/// The levels of sigma_of(u) for evenly spaced u from 0 to 1, and the clean one.
template <typename SigmaOf>
Levels spaced_levels(const NoiseSchedule& schedule, int num_inference_steps, double last_u,
                     SigmaOf sigma_of) {
  check_steps(num_inference_steps, schedule.num_train_timesteps() + 1);
  Levels levels;
  for (int i = 0; i < num_inference_steps; ++i) {
    const double u = i == 0 ? 0.0 : last_u * i / (num_inference_steps - 1);
    levels.push_back(level_at_sigma(schedule, sigma_of(u)));
  }
  levels.emplace_back();
  return levels;
}

/// The levels of timestep_of(step) for each step from 0, and the clean one.
template <typename TimestepOf>
Levels levels_at(const NoiseSchedule& schedule, int num_inference_steps, TimestepOf timestep_of) {
  Levels levels;
  for (int i = 0; i < num_inference_steps; ++i)
    levels.push_back(level_at_sigma(schedule, schedule.sigma(timestep_of(i))));
  levels.emplace_back();
  return levels;
}

/// Of ten steps, without the first, which is the model's own.
constexpr std::array kAlignYourSteps{6.475, 3.861, 2.697, 1.886, 1.396,
                                     0.963, 0.652, 0.399, 0.152, 0.029};

constexpr std::array kSchedulers{
    Scheduler{"Automatic", "The sampler's own spacing", nullptr, &Sampler::own_levels},
    Scheduler{"Uniform", "Evenly spaced timesteps", uniform_levels},
    Scheduler{"Karras", "More steps at low noise, for fine detail", karras_levels},
    Scheduler{"Exponential", "Each step removes the same share of the noise", exponential_levels},
    Scheduler{"Polyexponential", "As Exponential, which it is a generalization of",
              polyexponential_levels},
    Scheduler{"SGM Uniform", "Evenly spaced timesteps that stop before the last",
              sgm_uniform_levels},
    Scheduler{"Beta", "More steps at high and at low noise, fewer between", beta_levels},
    Scheduler{"KL Optimal", "Evenly spaced in the arc tangent of the noise", kl_optimal_levels},
    Scheduler{"Align Your Steps", "Optimised for about ten steps", align_your_steps_levels},
    Scheduler{"Simple", "Evenly spaced levels of the training schedule", simple_levels},
    Scheduler{"Normal", "The same as Uniform", uniform_levels},
    Scheduler{"DDIM", "Evenly spaced whole timesteps, as the sampler DDIM has them",
              ddim_uniform_levels},
    Scheduler{"Optimized", "Where the sampler's own error is least, for 4 to 20 steps", nullptr,
              &Sampler::optimized_levels},
};

}  // namespace

Levels uniform_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const auto last = static_cast<double>(schedule.num_train_timesteps() - 1);
  return spaced_levels(schedule, num_inference_steps, 1.0,
                       [&](double u) { return schedule.sigma(last * (1.0 - u)); });
}

Levels karras_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const double max_inv_rho = std::pow(schedule.sigma_max(), 1.0 / kKarrasRho);
  const double min_inv_rho = std::pow(schedule.sigma_min(), 1.0 / kKarrasRho);
  return spaced_levels(schedule, num_inference_steps, 1.0, [&](double u) {
    return std::pow(max_inv_rho + u * (min_inv_rho - max_inv_rho), kKarrasRho);
  });
}

Levels exponential_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const double max_log = std::log(schedule.sigma_max());
  const double min_log = std::log(schedule.sigma_min());
  return spaced_levels(schedule, num_inference_steps, 1.0,
                       [&](double u) { return std::exp(max_log + u * (min_log - max_log)); });
}

Levels polyexponential_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const double max_log = std::log(schedule.sigma_max());
  const double min_log = std::log(schedule.sigma_min());
  return spaced_levels(schedule, num_inference_steps, 1.0, [&](double u) {
    return std::exp(min_log + std::pow(1.0 - u, kPolyexponentialRho) * (max_log - min_log));
  });
}

Levels sgm_uniform_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const auto last = static_cast<double>(schedule.num_train_timesteps() - 1);
  const double last_u = (num_inference_steps - 1.0) / num_inference_steps;
  return spaced_levels(schedule, num_inference_steps, last_u,
                       [&](double u) { return schedule.sigma(last * (1.0 - u)); });
}

Levels beta_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const double sigma_min = schedule.sigma_min();
  const double sigma_max = schedule.sigma_max();
  return spaced_levels(schedule, num_inference_steps, 1.0, [&](double u) {
    return sigma_min + symmetric_beta_quantile(1.0 - u, kBetaShape) * (sigma_max - sigma_min);
  });
}

Levels simple_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const int64_t count = schedule.num_train_timesteps();
  check_steps(num_inference_steps, count);
  const double stride = static_cast<double>(count) / num_inference_steps;
  return levels_at(schedule, num_inference_steps, [&](int i) {
    return static_cast<double>(count - 1 - static_cast<int64_t>(i * stride));
  });
}

Levels ddim_uniform_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const int64_t count = schedule.num_train_timesteps();
  check_steps(num_inference_steps, count - 1);
  const double stride = static_cast<double>(count) / num_inference_steps;
  return levels_at(schedule, num_inference_steps, [&](int i) {
    return static_cast<double>(1 + static_cast<int64_t>((num_inference_steps - 1 - i) * stride));
  });
}

Levels kl_optimal_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  check_steps(num_inference_steps, schedule.num_train_timesteps() + 1);
  const double min_angle = std::atan(schedule.sigma_min());
  const double max_angle = std::atan(schedule.sigma_max());
  const auto sigma_of = [&](int i) {
    const double share = static_cast<double>(i) / num_inference_steps;
    return std::tan(share * min_angle + (1.0 - share) * max_angle);
  };
  Levels levels = levels_at(schedule, num_inference_steps,
                            [&](int i) { return schedule.timestep(sigma_of(i)); });
  levels.back() = level_at_sigma(schedule, schedule.sigma_min());
  return levels;
}

Levels align_your_steps_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  check_steps(num_inference_steps, schedule.num_train_timesteps() + 1);
  std::vector<double> sigmas{schedule.sigma_max()};
  for (const double sigma : kAlignYourSteps)
    sigmas.push_back(std::max(sigma, schedule.sigma_min()));
  return interpolated_levels(schedule, sigmas, num_inference_steps);
}

Span<const Scheduler> schedulers() { return kSchedulers; }

const Scheduler& find_scheduler(std::string_view name) {
  return find_row(schedulers(), "scheduler", name);
}

}  // namespace kandinsky::samplers
