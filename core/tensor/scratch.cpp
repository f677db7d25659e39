#include "tensor/scratch.h"

#include <ATen/ops/empty.h>
#include <c10/util/accumulate.h>

namespace kandinsky::tensor {

at::Tensor Scratch::lend(at::IntArrayRef shape, at::ScalarType dtype) {
  const int64_t bytes =
      c10::multiply_integers(shape) * static_cast<int64_t>(c10::elementSize(dtype));
  if (!bytes_.defined() || bytes_.numel() < bytes) {
    release();  // before allocating another
    bytes_ = at::empty({bytes}, at::kByte);
  }
  return bytes_.narrow(0, 0, bytes).view(dtype).view(shape);
}

}  // namespace kandinsky::tensor
