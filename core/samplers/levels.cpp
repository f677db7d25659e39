#include "samplers/levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/span.h"
#include "samplers/noise_schedule.h"

namespace kandinsky::samplers {
namespace {

/// Noise that nobody can see. At 0.0002, 1 - alpha_prod is 0 in fp32, by which DDPM divides.
constexpr double kMinSigma = 0.001;
/// Closer together than in a thousand steps. Samplers that extrapolate divide by what is between.
constexpr double kMaxRatio = 0.999;

}  // namespace

Levels levels_at_sigmas(const NoiseSchedule& schedule, Span<const double> sigmas) {
  Levels levels;
  double most = schedule.sigma_max() * (1.0 + 1e-3);  // may be rounded
  for (const double sigma : sigmas) {
    if (!(sigma >= kMinSigma && sigma <= most)) {
      throw Error(
          ErrorCode::kInvalidArgument,
          fmt::format("sigmas has {} as number {}; they must fall, from {:.4g} at most to "
                      "{} at least, each to {} of the one before or less",
                      sigma, levels.size() + 1, schedule.sigma_max(), kMinSigma, kMaxRatio));
    }
    levels.push_back(level_at_sigma(schedule, sigma));
    most = sigma * kMaxRatio;
  }
  levels.emplace_back();
  return levels;
}

Levels interpolated_levels(const NoiseSchedule& schedule, Span<const double> sigmas,
                           int num_inference_steps) {
  Levels levels;
  for (int i = 0; i < num_inference_steps; ++i) {
    const double u = i == 0 ? 0.0 : static_cast<double>(i) / (num_inference_steps - 1);
    const double place = u * static_cast<double>(sigmas.size() - 1);
    const auto before = std::min(static_cast<size_t>(place), sigmas.size() - 2);
    const double share = place - static_cast<double>(before);
    const double log_sigma =
        std::lerp(std::log(sigmas[before]), std::log(sigmas[before + 1]), share);
    levels.push_back(level_at_sigma(schedule, std::exp(log_sigma)));
  }
  levels.emplace_back();
  return levels;
}

Level level_at_timestep(const NoiseSchedule& schedule, int64_t timestep) {
  return {.timestep = static_cast<double>(timestep),
          .sigma = schedule.sigma(static_cast<double>(timestep)),
          .alpha_prod = schedule.alphas_cumprod.at(static_cast<size_t>(timestep))};
}

Level level_at_sigma(const NoiseSchedule& schedule, double sigma) {
  return {.timestep = schedule.timestep(sigma),
          .sigma = sigma,
          .alpha_prod = 1.0 / (1.0 + sigma * sigma)};
}

}  // namespace kandinsky::samplers
