#include "nn/layers/activation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/sigmoid.h>
#include <fmt/format.h>

#include <string_view>

#include "base/error.h"

namespace kandinsky::nn {

Activation parse_activation(std::string_view name) {
  if (name == "gelu") return Activation::kGelu;
  if (name == "quick_gelu") return Activation::kQuickGelu;
  throw Error(
      ErrorCode::kUnsupported,
      fmt::format("config: activation \"{}\" is not known; known are gelu and quick_gelu", name));
}

at::Tensor activate(const at::Tensor& x, Activation activation) {
  return activation == Activation::kGelu ? at::gelu(x) : x * at::sigmoid(x * 1.702);
}

}  // namespace kandinsky::nn
