#include "pipelines/check_finite.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "base/error.h"
#include "tensor/device.h"

namespace kandinsky::pipelines {

NotFiniteError::NotFiniteError(const char* stage, at::ScalarType dtype)
    : Error(
          ErrorCode::kUnsupported,
          dtype == at::kFloat
              ? fmt::format(
                    "stage {} gave values that are not finite numbers, in fp32: embeds that "
                    "it was given are far too large, or its weights are damaged",
                    stage)
              : fmt::format("stage {} gave values that are not finite numbers in {}; use precision "
                            "fp32",
                            stage, tensor::precision_name(dtype))) {}

void check_finite(const at::Tensor& tensor, const char* stage, at::ScalarType dtype) {
  if (!tensor.isfinite().all().item<bool>()) throw NotFiniteError(stage, dtype);
}

}  // namespace kandinsky::pipelines
