#pragma once

#include <ATen/core/Tensor.h>

#include "tensor/device.h"

namespace kandinsky::pipelines {

/// Throws Error(kUnsupported) if the result of a stage has values that are not finite numbers.
void check_finite(const at::Tensor& tensor, const char* stage, tensor::Placement placement);

}  // namespace kandinsky::pipelines
