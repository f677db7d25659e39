#include "tensor/rates.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
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

/// The fastest run of each, alternating, so that other load on the machine affects both. The first
/// run of each prepares its kernel.
LayerTimes times_of(const Work& fp32, const Work& bf16) {
  constexpr int kRounds = 10;
  constexpr int kFewestRounds = 4;
  constexpr double kEnough = 0.01;  // seconds
  constexpr double kMost = std::numeric_limits<double>::max();
  LayerTimes times{.fp32 = kMost, .bf16 = kMost};
  fp32();
  bf16();
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < kRounds && (i < kFewestRounds || seconds_since(begin) < kEnough); ++i) {
    for (const auto& [work, best] : {std::pair{&fp32, &times.fp32}, {&bf16, &times.bf16}}) {
      const Clock::time_point start = Clock::now();
      (*work)();
      *best = std::min(*best, seconds_since(start));
    }
  }
  return times;
}

constexpr int64_t kChannels = 256;
constexpr int64_t kFewChannels = 32;

/// The gain at the size of a network's layer; or at 1/64 of it, if that shows that bf16 is
/// emulated.
double gain_at_size(const std::function<Work(at::ScalarType dtype, int64_t channels)>& work_of) {
  const auto times_at = [&work_of](int64_t channels) {
    return times_of(work_of(at::kFloat, channels), work_of(at::kBFloat16, channels));
  };
  const LayerTimes small = times_at(kFewChannels);
  const LayerTimes times = shows_emulation(small) ? small : times_at(kChannels);
  return times.fp32 / times.bf16;
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

bool shows_emulation(const LayerTimes& small) {
  constexpr double kLong = 0.1;  // seconds
  constexpr int64_t kFactor = kChannels * kChannels / (kFewChannels * kFewChannels);
  return small.bf16 > small.fp32 && kFactor * small.bf16 > kLong;
}

Bf16Gain measure_bf16_gain() {
  static const Bf16Gain gain = [] {
    const TeamGuard team;
    const JobGuard guard;
    return Bf16Gain{.convolution = gain_at_size(convolution), .matmul = gain_at_size(matmul)};
  }();
  return gain;
}

}  // namespace kandinsky::tensor
