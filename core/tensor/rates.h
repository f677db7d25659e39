#pragma once

#include <chrono>
#include <functional>

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

/// The times of the first measurement that does not speak against bf16, or the shortest of those
/// that were begun within `limit`. One alone may be wrong: all threads of a layer wait for the
/// slowest, and another program may have its processor.
LayerTimes confirmed_times(const std::function<LayerTimes()>& measure,
                           const std::function<bool(const LayerTimes&)>& speaks_against,
                           std::chrono::milliseconds limit);

/// The least gain with which bf16 is chosen. A CPU that emulates bf16 is several times slower with
/// it, a CPU with instructions about twice as fast. The threshold is as far from both, since on a
/// busy machine the measurement varies, and with the type the image of a seed.
inline constexpr double kWorthwhileBf16Gain = 0.7;

/// Times a convolution and a matrix product of a network's size in both types. Takes a tenth of a
/// second, or half a second if bf16 seems not to be worthwhile, and longer where it is emulated;
/// once per process.
Bf16Gain measure_bf16_gain();

}  // namespace kandinsky::tensor
