#pragma once

namespace kandinsky::tensor {

/// The speed of bf16 relative to fp32 on a CPU.
struct Bf16Gain {
  double convolution = 0.0;
  double matmul = 0.0;
};

/// Seconds of a layer.
struct LayerTimes {
  double fp32 = 0.0;
  double bf16 = 0.0;
};

/// Whether a layer of 1/64 of a network's size shows that one of full size would take long, because
/// LibTorch emulates bf16. Its gain tells nothing else: starting a kernel with AMX takes longer
/// than such a layer in fp32.
bool shows_emulation(const LayerTimes& small);

/// Times a convolution and a matrix product of a network's size in both types. Takes a
/// tenth of a second, once per process.
Bf16Gain measure_bf16_gain();

}  // namespace kandinsky::tensor
