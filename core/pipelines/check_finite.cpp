#include "pipelines/check_finite.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "tensor/device.h"

namespace kandinsky::pipelines {

NotFiniteError::NotFiniteError(const char* stage, at::ScalarType dtype)
    : Error(ErrorCode::kUnsupported,
            fmt::format(
                "stage {} gave values that are not finite numbers in {}; use precision {}", stage,
                tensor::precision_name(dtype),
                dtype == at::kFloat ? "fp32 with other weights: these are damaged" : "fp32")) {}

void check_finite(const at::Tensor& tensor, const char* stage, at::ScalarType dtype) {
  if (!tensor.isfinite().all().item<bool>()) throw NotFiniteError(stage, dtype);
}

}  // namespace kandinsky::pipelines
