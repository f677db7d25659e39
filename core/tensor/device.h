/// Devices and types of tensors, and the guards of every job.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/cache_folder.h"
#include "tensor/rates.h"
#include "tensor/speedups.h"

namespace kandinsky::tensor {

class Adapters;

/// Device and type of weights and activations, and the computation's settings.
struct Placement {
  at::Device device{at::kCPU};
  at::ScalarType dtype = at::kFloat;
  Speedups speedups{};
  /// Networks read their layers' weights from the files at each use instead of keeping them.
  bool streamed = false;
  /// Winograd's method in small tiles only, whose weights take half the memory.
  bool small_tiles = false;
  /// Linear layers use their weights in the files' type if that is a speed-up:
  /// for networks that multiply few rows at a time.
  bool few_rows = false;
  /// Linear layers keep their weights in int8: an approximation.
  bool int8_weights = false;
  /// LoRAs to add to weights at loading; null: none.
  std::shared_ptr<Adapters> adapters{};
  /// Where weights are kept as the kernels use them; none: they are not.
  std::optional<io::CacheFolder> prepared_weights{};
};

/// The same with streamed weights, without features that pay only for resident weights, such as
/// int8 weights.
Placement with_streamed_weights(Placement placement);

/// A placement with its reason, for the user.
struct ChosenPlacement {
  Placement placement;
  std::string reason;
};

/// The precision for "auto" on a CPU: bf16 if it is sufficiently faster, else fp32.
ChosenPlacement choose_cpu_precision(at::Device device, const Bf16Gain& gain);

/// Turns names into a placement. device: "auto", "cpu", "cuda" or "cuda:N"; precision: "auto",
/// "fp32", "bf16" or "fp16". "auto" is an accelerator with fp16 if LibTorch finds one, else the
/// CPU with the faster of bf16 and fp32, as measured. Throws Error(kInvalidArgument) for
/// an unknown name, Error(kUnsupported) for a missing device and for fp16 on a CPU.
ChosenPlacement choose_placement(std::string_view device, std::string_view precision);

/// "cpu", "cuda:0", ...
std::string device_name(at::Device device);

/// "fp32", "bf16" or "fp16"; otherwise "other".
const char* precision_name(at::ScalarType dtype);

/// Turns inference mode on and autocast off for this thread and scope: a host's thread has its own
/// settings.
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
