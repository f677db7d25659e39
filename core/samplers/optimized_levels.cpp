#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "samplers/algorithms.h"

namespace kandinsky::samplers {
namespace {

struct Grid {
  std::string_view sampler;
  std::vector<double> sigmas;
};

/// Of a sampler by the number of steps, without gaps.
const std::vector<Grid>& grids() {
  static const std::vector<Grid> all{
#define LEVELS(sampler, ...) Grid{#sampler, {__VA_ARGS__}},
#include "samplers/optimized_levels.def"
  };
  return all;
}

// The ends of the schedule that the grids are for. Another schedule's levels are the same, spread
// over its own range.
constexpr double kFirst = 25.1461163;
constexpr double kLast = 0.0291675;

Levels levels_of(std::string_view sampler, const NoiseSchedule& schedule, int num_inference_steps) {
  const auto distance = [&](const Grid& grid) {
    return std::abs(static_cast<int>(grid.sigmas.size()) - num_inference_steps);
  };
  const Grid* nearest = nullptr;
  for (const Grid& grid : grids()) {
    if (grid.sampler == sampler && (nearest == nullptr || distance(grid) < distance(*nearest)))
      nearest = &grid;
  }
  const double spread =
      std::log(schedule.sigma_max() / schedule.sigma_min()) / std::log(kFirst / kLast);
  std::vector<double> sigmas{schedule.sigma_max()};
  for (const double sigma : Span<const double>(nearest->sigmas).subspan(1))
    sigmas.push_back(schedule.sigma_max() * std::pow(sigma / kFirst, spread));
  return interpolated_levels(schedule, sigmas, num_inference_steps);
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
