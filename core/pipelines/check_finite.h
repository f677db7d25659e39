#pragma once

#include <ATen/core/Tensor.h>

#include "base/error.h"

namespace kandinsky::pipelines {

/// Error(kUnsupported): the result of a stage has values that are not finite numbers.
class NotFiniteError : public Error {
 public:
  NotFiniteError(const char* stage, at::ScalarType dtype);
};

/// dtype: of the stage's computation. Throws NotFiniteError.
void check_finite(const at::Tensor& tensor, const char* stage, at::ScalarType dtype);

}  // namespace kandinsky::pipelines
