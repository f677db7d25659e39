#pragma once

#include <ATen/core/Tensor.h>

namespace kandinsky::tensor {

/// CPU memory for consecutive tensors; grows to the largest.
class Scratch {
 public:
  /// Uninitialised, contiguous, and valid until the next call.
  at::Tensor lend(at::IntArrayRef shape, at::ScalarType dtype);
  void release() { bytes_.reset(); }

 private:
  at::Tensor bytes_;
};

}  // namespace kandinsky::tensor
