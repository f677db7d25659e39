#include "nn/kernels/int8_weight.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/round.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "nn/kernels/int8_products.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

constexpr double kLargest = 127.0;
/// In fp32 they stay in the caches.
constexpr int64_t kNumbersAtOnce = int64_t{1} << 18;

}  // namespace

Int8Weight::Int8Weight(const at::Tensor& weight)
    : rows_(at::empty(weight.sizes(), weight.options().dtype(at::kChar))),
      scales_(at::empty({weight.size(0)}, weight.options().dtype(at::kFloat))) {
  const int64_t at_once = std::max<int64_t>(1, kNumbersAtOnce / weight.size(1));
  const auto parts = weight.split(at_once);
  const auto rows = rows_.split(at_once);
  const auto scales = scales_.split(at_once);
  for (size_t i = 0; i < parts.size(); ++i) {
    const at::Tensor exact = parts[i].to(at::kFloat);
    // A row of zeros has no maximum and can have any scale.
    scales[i].copy_(at::amax(at::abs(exact), 1).clamp_min(1e-30) / kLargest);
    rows[i].copy_(at::round(exact / scales[i].unsqueeze(1)).clamp(-kLargest, kLargest));
  }
}

Int8Weight::Int8Weight(const tensor::Weights& weights, at::IntArrayRef shape) {
  std::optional<Int8Weight> made;
  const auto rounded = [&]() -> const Int8Weight& {
    if (!made) made.emplace(weights.lend("weight", shape));
    return *made;
  };
  rows_ =
      weights.prepared("weight", shape, "int8", [&] { return std::vector{rounded().rows_}; })[0];
  scales_ = weights.prepared("weight", shape, "int8 scales",
                             [&] { return std::vector{rounded().scales_}; })[0];
}

at::Tensor Int8Weight::linear(const at::Tensor& x, const at::Tensor& bias) const {
  if (const auto& dots = kernels::integer_dots(); x.is_cpu() && !dots.empty()) {
    const at::Tensor bias_fp32 = bias.defined() ? bias.to(at::kFloat) : bias;
    return kernels::int8_products(x.to(at::kFloat), rows_, scales_, bias_fp32, dots.back())
        .to(x.scalar_type());
  }
  const at::Tensor products =
      at::linear(x, rows_.to(x.scalar_type())) * scales_.to(x.scalar_type());
  return bias.defined() ? products + bias : products;
}

}  // namespace kandinsky::nn
