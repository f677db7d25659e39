#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace kandinsky::nn {

/// A transformer's activation by its name in config.json.
enum class Activation { kGelu, kQuickGelu };

/// "gelu" (the exact erf form) or "quick_gelu". Throws Error(kUnsupported) for another name.
Activation parse_activation(std::string_view name);

at::Tensor activate(const at::Tensor& x, Activation activation);

}  // namespace kandinsky::nn
