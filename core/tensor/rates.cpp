#include "tensor/rates.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "tensor/device.h"

namespace kandinsky::tensor {
namespace {

/// The fastest of a few runs, in seconds; the first one also prepares the kernel.
template <typename Work>
double fastest(const Work& work) {
  using Clock = std::chrono::steady_clock;
  work();
  double best = std::numeric_limits<double>::max();
  for (int i = 0; i < 3; ++i) {
    const Clock::time_point start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

double time_convolution(at::ScalarType dtype) {
  const auto options = at::TensorOptions().dtype(dtype);
  const at::Tensor map =
      at::ones({1, 128, 32, 32}, options).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor kernel =
      at::ones({128, 128, 3, 3}, options).contiguous(at::MemoryFormat::ChannelsLast);
  return fastest([&] { return at::conv2d(map, kernel, {}, {1, 1}, {1, 1}); });
}

double time_matmul(at::ScalarType dtype) {
  const auto options = at::TensorOptions().dtype(dtype);
  const at::Tensor rows = at::ones({256, 768}, options);
  const at::Tensor weight = at::ones({768, 768}, options);
  return fastest([&] { return at::linear(rows, weight); });
}

}  // namespace

Bf16Gain measure_bf16_gain() {
  static const Bf16Gain gain = [] {
    const JobGuard guard;
    return Bf16Gain{.convolution = time_convolution(at::kFloat) / time_convolution(at::kBFloat16),
                    .matmul = time_matmul(at::kFloat) / time_matmul(at::kBFloat16)};
  }();
  return gain;
}

}  // namespace kandinsky::tensor
