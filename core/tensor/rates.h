#pragma once

namespace kandinsky::tensor {

/// How many times as fast as in fp32 a CPU computes in bf16.
struct Bf16Gain {
  double convolution = 0.0;
  double matmul = 0.0;
};

/// Times one convolution and one matrix product of a network's size in both types. Takes a
/// tenth of a second, once in a process.
Bf16Gain measure_bf16_gain();

}  // namespace kandinsky::tensor
