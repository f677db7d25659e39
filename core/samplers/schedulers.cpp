#include "samplers/schedulers.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/error.h"
#include "samplers/beta_distribution.h"
#include "samplers/lookup.h"

namespace kandinsky::samplers {
namespace {

constexpr double kKarrasRho = 7.0;
constexpr double kPolyexponentialRho = 1.0;
constexpr double kBetaShape = 0.6;

/// The levels of sigma_of(u) for evenly spaced u from 0 to 1, and the clean one.
template <typename SigmaOf>
Levels spaced_levels(const NoiseSchedule& schedule, int num_inference_steps, double last_u,
                     SigmaOf sigma_of) {
  if (num_inference_steps < 1 || num_inference_steps > schedule.num_train_timesteps() + 1) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("there are no levels for {} steps", num_inference_steps));
  }
  Levels levels;
  for (int i = 0; i < num_inference_steps; ++i) {
    const double u = i == 0 ? 0.0 : last_u * i / (num_inference_steps - 1);
    levels.push_back(level_at_sigma(schedule, sigma_of(u)));
  }
  levels.emplace_back();
  return levels;
}

constexpr std::array kSchedulers{
    Scheduler{"Automatic", "What suits the sampler", nullptr},
    Scheduler{"Uniform", "Evenly spaced timesteps", uniform_levels},
    Scheduler{"Karras", "More steps at little noise, for fine detail", karras_levels},
    Scheduler{"Exponential", "Each step removes the same share of the noise", exponential_levels},
    Scheduler{"Polyexponential", "As Exponential, which it is a generalization of",
              polyexponential_levels},
    Scheduler{"SGM Uniform", "Evenly spaced timesteps that stop before the last",
              sgm_uniform_levels},
    Scheduler{"Beta", "More steps at much and at little noise, few between", beta_levels},
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

Span<const Scheduler> schedulers() { return kSchedulers; }

const Scheduler& find_scheduler(std::string_view name) {
  return find_row(schedulers(), "scheduler", name);
}

}  // namespace kandinsky::samplers
