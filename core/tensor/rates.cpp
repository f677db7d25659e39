#include "tensor/rates.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <utility>

#include "tensor/device.h"
#include "tensor/team.h"

namespace kandinsky::tensor {
namespace {

using Clock = std::chrono::steady_clock;
using Work = std::function<void()>;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The speed of `narrow` relative to `wide`: the fastest run of each, alternating, so
/// that other load on the machine affects both. The first run of each prepares its kernel.
double gain_of(const Work& wide, const Work& narrow) {
  constexpr int kRounds = 10;
  constexpr int kFewestRounds = 4;
  constexpr double kEnough = 0.01;  // seconds
  wide();
  narrow();
  double best_wide = std::numeric_limits<double>::max();
  double best_narrow = best_wide;
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < kRounds && (i < kFewestRounds || seconds_since(begin) < kEnough); ++i) {
    for (const auto& [work, best] : {std::pair{&wide, &best_wide}, {&narrow, &best_narrow}}) {
      const Clock::time_point start = Clock::now();
      (*work)();
      *best = std::min(*best, seconds_since(start));
    }
  }
  return best_wide / best_narrow;
}

/// The gain at the size of a network's layer; or at a hundredth of it, if that shows that the type
/// is emulated in software, which would take seconds.
double gain_at_size(const std::function<Work(at::ScalarType dtype, int64_t channels)>& work_of) {
  constexpr double kImitated = 0.5;
  double gain = 0.0;
  for (const int64_t channels : {32, 256}) {
    gain = gain_of(work_of(at::kFloat, channels), work_of(at::kBFloat16, channels));
    if (gain < kImitated) break;
  }
  return gain;
}

Work convolution(at::ScalarType dtype, int64_t channels) {
  const auto options =
      at::TensorOptions().dtype(dtype).memory_format(at::MemoryFormat::ChannelsLast);
  return [map = at::ones({1, channels, 16, 16}, options),
          kernel = at::ones({channels, channels, 3, 3}, options)] {
    at::conv2d(map, kernel, {}, {1, 1}, {1, 1});
  };
}

Work matmul(at::ScalarType dtype, int64_t channels) {
  const auto options = at::TensorOptions().dtype(dtype);
  return [rows = at::ones({256, channels}, options),
          weight = at::ones({3 * channels, channels}, options)] { at::linear(rows, weight); };
}

}  // namespace

Bf16Gain measure_bf16_gain() {
  static const Bf16Gain gain = [] {
    const TeamGuard team;
    const JobGuard guard;
    return Bf16Gain{.convolution = gain_at_size(convolution), .matmul = gain_at_size(matmul)};
  }();
  return gain;
}

}  // namespace kandinsky::tensor
