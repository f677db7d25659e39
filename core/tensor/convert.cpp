#include "tensor/convert.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "tensor/device.h"

namespace kandinsky::tensor {
namespace {

/// A megabyte in fp32: it stays in a core's own cache, and calls are rare.
constexpr int64_t kPiece = int64_t{1} << 18;

bool is_half(const at::Tensor& x) {
  return x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
}

}  // namespace

bool is_finite(const at::Tensor& x) {
  if (x.numel() == 0) return true;
  const auto [low, high] = at::aminmax(x);
  return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
}

bool convert(const at::Tensor& from, const at::Tensor& to) {
  const at::Tensor source = from.view(-1);
  const at::Tensor target = to.view(-1);
  const bool through_float = is_half(from) && is_half(to) && from.scalar_type() != to.scalar_type();
  std::atomic<bool> all_finite = true;
  at::parallel_for(0, source.numel(), kPiece, [&](int64_t begin, int64_t end) {
    const JobGuard guard;
    const at::Tensor floats =
        through_float ? at::empty({std::min(kPiece, end - begin)}, at::kFloat) : at::Tensor();
    for (int64_t start = begin; start < end; start += kPiece) {
      const int64_t length = std::min(kPiece, end - start);
      const at::Tensor piece = target.narrow(0, start, length);
      at::Tensor numbers = source.narrow(0, start, length);
      if (through_float) numbers = floats.narrow(0, 0, length).copy_(numbers);
      piece.copy_(numbers);
      if (!is_finite(piece)) all_finite = false;
    }
  });
  return all_finite;
}

}  // namespace kandinsky::tensor
