/// An accelerator that is none: torch's backend for devices of others (PrivateUse1), named
/// "simulated". Whatever a program takes for granted on a CPU alone fails on it, as it would on a
/// GPU: its memory cannot be read or written but by copies through torch, its operators take no
/// tensor of another device, and float64 is refused, as on Apple's GPUs. Every operator is computed
/// on the CPU.
#pragma once

#include <cstdint>

namespace kandinsky::test::simulated_device {

/// Copies that a program asked for, with .to(), .item(), or an assignment across devices.
struct Copies {
  int64_t to_device = 0;
  int64_t to_host = 0;
};

/// Makes "simulated" and "simulated:0" devices that torch knows; once is enough.
void install();

/// Since the last reset.
Copies copies();
void reset_copies();

/// Bytes of the device that tensors hold.
int64_t allocated_bytes();
/// The most that they held since the last reset_peak().
int64_t peak_bytes();
void reset_peak();

/// Beyond so many bytes the device is out of memory; 0: as many as there are.
void set_limit(int64_t bytes);

}  // namespace kandinsky::test::simulated_device
