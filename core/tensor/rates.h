#pragma once

namespace kandinsky::tensor {

/// The speed of bf16 relative to fp32 on a CPU.
struct Bf16Gain {
  double convolution = 0.0;
  double matmul = 0.0;
};

/// Times a convolution and a matrix product of a network's size in both types. Takes a
/// tenth of a second, once per process.
Bf16Gain measure_bf16_gain();

}  // namespace kandinsky::tensor
