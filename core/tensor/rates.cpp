#include "tensor/rates.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <thread>
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

double gain_of(const LayerTimes& times) { return times.fp32 / times.bf16; }

/// The gain at the size of a network's layer; or at 1/64 of it, if that shows that bf16 is
/// emulated.
double gain_at_size(const std::function<Work(at::ScalarType dtype, int64_t channels)>& work_of,
                    std::chrono::milliseconds limit) {
  const auto times_at = [&work_of, limit](int64_t channels, const auto& speaks_against) {
    const Work fp32 = work_of(at::kFloat, channels);
    const Work bf16 = work_of(at::kBFloat16, channels);
    return confirmed_times([&] { return times_of(fp32, bf16); }, speaks_against, limit);
  };
  const LayerTimes small = times_at(kFewChannels, shows_emulation);
  if (shows_emulation(small)) return gain_of(small);
  return gain_of(times_at(
      kChannels, [](const LayerTimes& times) { return gain_of(times) < kWorthwhileBf16Gain; }));
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

LayerTimes confirmed_times(const std::function<LayerTimes()>& measure,
                           const std::function<bool(const LayerTimes&)>& speaks_against,
                           std::chrono::milliseconds limit) {
  constexpr std::chrono::milliseconds kPause{20};
  const Clock::time_point begin = Clock::now();
  LayerTimes times = measure();
  while (speaks_against(times) && Clock::now() - begin < limit) {
    std::this_thread::sleep_for(kPause);
    const LayerTimes again = measure();
    times = {.fp32 = std::min(times.fp32, again.fp32), .bf16 = std::min(times.bf16, again.bf16)};
  }
  return times;
}

Bf16Gain measure_bf16_gain() {
  static const Bf16Gain gain = [] {
    constexpr std::chrono::milliseconds kLimit{400};
    const TeamGuard team;
    const JobGuard guard;
    const double convolution_gain = gain_at_size(convolution, kLimit);
    // One of them is enough to decide against bf16.
    const auto limit = convolution_gain < kWorthwhileBf16Gain ? kLimit.zero() : kLimit;
    return Bf16Gain{.convolution = convolution_gain, .matmul = gain_at_size(matmul, limit)};
  }();
  return gain;
}

}  // namespace kandinsky::tensor
