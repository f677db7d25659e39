#pragma once

#include <functional>

namespace kandinsky::tensor {

/// How many times as fast as in fp32 a CPU computes in bf16.
struct Bf16Gain {
  double convolution = 0.0;
  double matmul = 0.0;
};

/// How many times as fast as `slow` something is: by the fastest run of each, which take turns, so
/// that whatever else the machine does meets both. The first run of each prepares its kernel.
double gain_of(const std::function<void()>& slow, const std::function<void()>& quick, int rounds);

/// Times one convolution and one matrix product of a network's size in both types. Takes a
/// tenth of a second, once in a process.
Bf16Gain measure_bf16_gain();

}  // namespace kandinsky::tensor
