/// Where tensors live, in which type they are computed, and the guards every job runs under.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <memory>
#include <string>
#include <string_view>

#include "tensor/rates.h"
#include "tensor/speedups.h"

namespace kandinsky::tensor {

class Adapters;

/// Device and type of weights and activations, and how they are computed.
struct Placement {
  at::Device device{at::kCPU};
  at::ScalarType dtype = at::kFloat;
  Speedups speedups{};
  /// Networks read their layers' weights from the files at each use instead of keeping them.
  bool streamed = false;
  /// Winograd's filtering in small tiles only, whose weights take half the memory.
  bool small_tiles = false;
  /// Linear layers multiply with their weights as the files hold them, where that is a speed-up:
  /// for networks that multiply few rows at a time.
  bool few_rows = false;
  /// Linear layers keep their weights in int8: an approximation.
  bool int8_weights = false;
  /// What is added to weights when they are loaded; null: nothing.
  std::shared_ptr<Adapters> adapters{};
};

/// The same with streamed weights. What pays only for weights that stay is left out, int8 weights
/// with it.
Placement with_streamed_weights(Placement placement);

/// A placement with its reason, for people.
struct ChosenPlacement {
  Placement placement;
  std::string reason;
};

/// What "auto" is on a CPU: bf16 where it is worth its rounding, else fp32.
ChosenPlacement choose_cpu_precision(at::Device device, const Bf16Gain& gain);

/// Turns names into a placement. device: "auto", "cpu", "cuda" or "cuda:N"; precision: "auto",
/// "fp32", "bf16" or "fp16". "auto" takes an accelerator with fp16 if LibTorch sees one, else the
/// CPU with whichever of bf16 and fp32 is measured to be faster. Throws Error(kInvalidArgument) for
/// an unknown name, Error(kUnsupported) for a device that is not there and for fp16 on a CPU.
ChosenPlacement choose_placement(std::string_view device, std::string_view precision);

/// "cpu", "cuda:0", ...
std::string device_name(at::Device device);

/// "fp32", "bf16" or "fp16"; "other" for the rest.
const char* precision_name(at::ScalarType dtype);

/// Sets, for this thread and scope, inference mode on and autocast off: a host that calls on its
/// own thread has its own settings there.
class JobGuard {
 public:
  JobGuard() = default;
  JobGuard(const JobGuard&) = delete;
  JobGuard& operator=(const JobGuard&) = delete;

 private:
  c10::InferenceMode inference_mode_;
  c10::impl::ExcludeDispatchKeyGuard no_autocast_{c10::autocast_dispatch_keyset};
};

}  // namespace kandinsky::tensor
