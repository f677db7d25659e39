#include "tensor/device.h"

#include <ATen/Context.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "tensor/cpu.h"
#include "tensor/rates.h"

namespace kandinsky::tensor {
namespace {

int num_devices(c10::DeviceType type) {
  return c10::impl::hasDeviceGuardImpl(type) ? c10::impl::getDeviceGuardImpl(type)->deviceCount()
                                             : 0;
}

bool has_accelerator() { return at::globalContext().hasCUDA(); }

constexpr std::string_view kDevices = "use auto, cpu, cuda or cuda:N";

/// Accelerators are CUDA and named backends that others add to LibTorch.
std::optional<c10::DeviceType> parse_type(std::string_view name) {
  if (name == "cuda") return at::kCUDA;
  const bool is_added =
      c10::impl::hasDeviceGuardImpl(at::kPrivateUse1) && name == c10::get_privateuse1_backend();
  return is_added ? std::optional(at::kPrivateUse1) : std::nullopt;
}

/// The N of "cuda:N".
std::optional<int> parse_index(std::string_view digits) {
  int index = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  const bool is_plain = fault == std::errc() && end == digits.data() + digits.size() &&
                        digits.front() != '-' && (digits.front() != '0' || digits.size() == 1);
  return is_plain ? std::optional(index) : std::nullopt;
}

at::Device parse_device(std::string_view name) {
  if (name.empty() || name == "auto")
    return has_accelerator() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  if (name == "cpu") return {at::kCPU};
  if (name.starts_with("cpu:")) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("device \"{}\": the CPU is one device without a number; {}", name, kDevices));
  }
  const size_t colon = std::min(name.find(':'), name.size());
  const std::optional<c10::DeviceType> type = parse_type(name.substr(0, colon));
  const std::optional<int> index = colon == name.size() ? 0 : parse_index(name.substr(colon + 1));
  if (!type || !index) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("device \"{}\" is not known; {}", name, kDevices));
  }
  const std::string type_name = c10::DeviceTypeName(*type, *type == at::kPrivateUse1);
  const int count = num_devices(*type);
  if (count == 0) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("device \"{}\": this LibTorch sees no {} device; use device cpu, or "
                            "install a torch with {} and a driver that fits it",
                            name, type_name, type_name));
  }
  if (*index >= count) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("device \"{}\": there are {} {} devices, counted from 0", name, count,
                            type_name));
  }
  return {*type, static_cast<c10::DeviceIndex>(*index)};
}

}  // namespace

Placement with_streamed_weights(Placement placement) {
  placement.streamed = true;
  placement.int8_weights = false;
  placement.speedups.packed_weights = false;
  placement.speedups.split_upsampling = false;
  return placement;
}

ChosenPlacement choose_cpu_precision(at::Device device, const Bf16Gain& gain) {
  const bool is_bf16 = std::min(gain.convolution, gain.matmul) >= kWorthwhileBf16Gain;
  return {
      {device, is_bf16 ? at::kBFloat16 : at::kFloat},
      fmt::format("measured here, bf16 is {:.1f} times as fast as fp32 in convolutions and {:.1f} "
                  "times in matrix products",
                  gain.convolution, gain.matmul)};
}

ChosenPlacement choose_placement(std::string_view device_name_or_auto, std::string_view precision) {
  const at::Device device = parse_device(device_name_or_auto);
  if (precision == "fp32") return {{device, at::kFloat}, "precision fp32 was asked for"};
  if (precision == "bf16") return {{device, at::kBFloat16}, "precision bf16 was asked for"};
  if (precision == "fp16") {
    if (device.is_cpu()) {
      throw Error(ErrorCode::kUnsupported,
                  "precision fp16 is not computed on a CPU, where it is hundreds of times slower; "
                  "use bf16 or fp32");
    }
    return {{device, at::kHalf}, "precision fp16 was asked for"};
  }
  if (!precision.empty() && precision != "auto") {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("precision \"{}\" is not known; use auto, fp32, bf16 or fp16", precision));
  }
  if (device.is_cpu() && bf16_support() == Bf16Support::kNone) {
    return {{device, at::kFloat},
            "this CPU has no instructions for bf16, which would be several times slower"};
  }
  if (device.is_cpu()) return choose_cpu_precision(device, measure_bf16_gain());
  return {{device, at::kHalf}, "fp16 is fastest on this accelerator"};
}

std::string device_name(at::Device device) { return device.str(); }

const char* precision_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "fp32";
    case at::kBFloat16:
      return "bf16";
    case at::kHalf:
      return "fp16";
    default:
      return "other";
  }
}

}  // namespace kandinsky::tensor
