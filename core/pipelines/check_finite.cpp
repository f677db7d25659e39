#include "pipelines/check_finite.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "base/error.h"

namespace kandinsky::pipelines {

void check_finite(const at::Tensor& tensor, const char* stage, tensor::Placement placement) {
  if (tensor.isfinite().all().item<bool>()) return;
  throw Error(
      ErrorCode::kUnsupported,
      fmt::format(
          "stage {} gave values that are not finite numbers in {}; use precision {}", stage,
          tensor::precision_name(placement.dtype),
          placement.dtype == at::kFloat ? "fp32 with other weights: these are damaged" : "fp32"));
}

}  // namespace kandinsky::pipelines
