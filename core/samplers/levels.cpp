#include "samplers/levels.h"

namespace kandinsky::samplers {

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
