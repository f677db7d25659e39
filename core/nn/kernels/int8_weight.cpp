#include "nn/kernels/int8_weight.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/round.h>

#include <cstddef>
#include <cstdint>

#include "nn/kernels/row_products.h"

namespace kandinsky::nn {
namespace {

constexpr double kLargest = 127.0;
/// In bf16, with more rows than this, a product with the widened matrix is faster than one in fp32.
constexpr int64_t kFewRows = 16;
constexpr int64_t kRowsAtOnce = 512;

}  // namespace

Int8Weight::Int8Weight(const at::Tensor& weight)
    : rows_(at::empty(weight.sizes(), weight.options().dtype(at::kChar))),
      scales_(at::empty({weight.size(0)}, weight.options().dtype(at::kFloat))) {
  // In parts: whole, the largest matrices would need 300 MB of fp32.
  const auto parts = weight.split(kRowsAtOnce);
  const auto rows = rows_.split(kRowsAtOnce);
  const auto scales = scales_.split(kRowsAtOnce);
  for (size_t i = 0; i < parts.size(); ++i) {
    const at::Tensor exact = parts[i].to(at::kFloat);
    // A row of zeros has no maximum and can have any scale.
    scales[i].copy_(at::amax(at::abs(exact), 1).clamp_min(1e-30) / kLargest);
    rows[i].copy_(at::round(exact / scales[i].unsqueeze(1)).clamp(-kLargest, kLargest));
  }
}

at::Tensor Int8Weight::linear(const at::Tensor& x, const at::Tensor& bias) const {
  const bool is_fp32 = x.scalar_type() == at::kFloat;
  const bool has_few_rows = is_fp32 || x.numel() <= kFewRows * x.size(-1);
  if (x.is_cpu() && has_few_rows && kernels::has_row_products()) {
    const at::Tensor bias_fp32 = bias.defined() ? bias.to(at::kFloat) : bias;
    return kernels::row_products(x.to(at::kFloat), rows_, bias_fp32, scales_).to(x.scalar_type());
  }
  const at::Tensor products =
      at::linear(x, rows_.to(x.scalar_type())) * scales_.to(x.scalar_type());
  return bias.defined() ? products + bias : products;
}

}  // namespace kandinsky::nn
