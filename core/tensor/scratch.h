#pragma once

#include <ATen/core/Tensor.h>

namespace kandinsky::tensor {

/// CPU memory for tensors that come one after another; it grows to the largest.
class Scratch {
 public:
  /// Uninitialised, contiguous, and valid until the next is asked for.
  at::Tensor lend(at::IntArrayRef shape, at::ScalarType dtype);
  void release() { bytes_.reset(); }

 private:
  at::Tensor bytes_;
};

}  // namespace kandinsky::tensor
