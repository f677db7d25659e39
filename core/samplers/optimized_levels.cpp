#include <fmt/format.h>

#include <cmath>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "samplers/algorithms.h"

namespace kandinsky::samplers {
namespace {

struct Grid {
  std::string_view sampler;
  std::vector<double> sigmas;
};

const std::vector<Grid>& grids() {
  static const std::vector<Grid> all{
#define LEVELS(sampler, ...) Grid{#sampler, {__VA_ARGS__}},
#include "samplers/optimized_levels.def"
  };
  return all;
}

// The ends of the schedule that the grids are for.
constexpr double kFirst = 25.146;
constexpr double kLast = 0.0292;

Levels levels_of(std::string_view sampler, const NoiseSchedule& schedule, int num_inference_steps) {
  size_t least = SIZE_MAX;
  size_t most = 0;
  for (const Grid& grid : grids()) {
    if (grid.sampler != sampler) continue;
    least = std::min(least, grid.sigmas.size());
    most = std::max(most, grid.sigmas.size());
    if (grid.sigmas.size() != static_cast<size_t>(num_inference_steps)) continue;
    // Another schedule has the same levels, spread over its own range.
    const double spread =
        std::log(schedule.sigma_max() / schedule.sigma_min()) / std::log(kFirst / kLast);
    std::vector<double> sigmas;
    for (const double sigma : grid.sigmas)
      sigmas.push_back(schedule.sigma_max() * std::pow(sigma / grid.sigmas.front(), spread));
    return levels_at_sigmas(schedule, sigmas);
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("steps is {}; the scheduler Optimized takes {} to {} steps",
                          num_inference_steps, least, most));
}

}  // namespace

#define OPTIMIZED(sampler)                                                                      \
  Levels optimized_##sampler##_levels(const NoiseSchedule& schedule, int num_inference_steps) { \
    return levels_of(#sampler, schedule, num_inference_steps);                                  \
  }
OPTIMIZED(euler)
OPTIMIZED(dpmpp_2m)
#undef OPTIMIZED

}  // namespace kandinsky::samplers
