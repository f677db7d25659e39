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

bool is_half(at::ScalarType type) { return type == at::kHalf || type == at::kBFloat16; }

}  // namespace

bool is_finite(const at::Tensor& x) {
  if (x.numel() == 0) return true;
  const auto [low, high] = at::aminmax(x);
  return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
}

bool read_converted(const ReadNumbers& read, at::ScalarType stored, const at::Tensor& to,
                    FiniteCheck check) {
  const at::Tensor target = to.view(-1);
  const bool is_same = stored == to.scalar_type();
  const bool through_float = !is_same && is_half(stored) && is_half(to.scalar_type());
  std::atomic<bool> all_finite = true;
  at::parallel_for(0, target.numel(), kPiece, [&](int64_t begin, int64_t end) {
    const JobGuard guard;
    const int64_t most = std::min(kPiece, end - begin);
    const at::Tensor raw = is_same ? at::Tensor() : at::empty({most}, stored);
    const at::Tensor floats = through_float ? at::empty({most}, at::kFloat) : at::Tensor();
    for (int64_t start = begin; start < end; start += kPiece) {
      const int64_t length = std::min(kPiece, end - start);
      const at::Tensor piece = target.narrow(0, start, length);
      at::Tensor numbers = is_same ? piece : raw.narrow(0, 0, length);
      read(start, numbers);
      if (through_float) numbers = floats.narrow(0, 0, length).copy_(numbers);
      if (!is_same) piece.copy_(numbers);
      if (check == FiniteCheck::kCheck && !is_finite(piece)) all_finite = false;
    }
  });
  return all_finite;
}

}  // namespace kandinsky::tensor
