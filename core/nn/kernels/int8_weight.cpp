#include "nn/kernels/int8_weight.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/round.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor/operator.h"

namespace kandinsky::nn {
namespace {

constexpr double kLargest = 127.0;
/// With more rows than this, dequantizing the matrix once is faster than a product that
/// dequantizes it for each row.
constexpr int64_t kFewRows = 16;
constexpr int64_t kRowsAtOnce = 512;

/// LibTorch's product of few rows with an int8 matrix, if it has one.
const tensor::Operator& few_rows_product() {
  static const tensor::Operator product("aten::_weight_int8pack_mm", "", 3);
  return product;
}

}  // namespace

Int8Weight::Int8Weight(const at::Tensor& weight)
    : rows_(at::empty(weight.sizes(), weight.options().dtype(at::kChar))),
      scales_(at::empty({weight.size(0)}, weight.options())) {
  // In parts: whole, the largest matrices would need 300 MB of fp32.
  const auto parts = weight.split(kRowsAtOnce);
  const auto rows = rows_.split(kRowsAtOnce);
  const auto scales = scales_.split(kRowsAtOnce);
  for (size_t i = 0; i < parts.size(); ++i) {
    const at::Tensor exact = parts[i].to(at::kFloat);
    // A row of zeros has no maximum and can have any scale. The scale is rounded to the
    // weight's type first, so that the quantized elements are nearest with the rounded scale.
    scales[i].copy_(at::amax(at::abs(exact), 1).clamp_min(1e-30) / kLargest);
    const at::Tensor exact_scales = scales[i].to(at::kFloat).unsqueeze(1);
    rows[i].copy_(at::round(exact / exact_scales).clamp(-kLargest, kLargest));
  }
}

at::Tensor Int8Weight::linear(const at::Tensor& x, const at::Tensor& bias) const {
  const int64_t rows = x.numel() / x.size(-1);
  if (rows > kFewRows || !x.is_cpu() || !few_rows_product().exists()) {
    const at::Tensor products = at::linear(x, rows_.to(x.scalar_type())) * scales_;
    return bias.defined() ? products + bias : products;
  }
  const at::Tensor products =
      few_rows_product()({x.reshape({rows, x.size(-1)}).contiguous(), rows_, scales_});
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = products.size(1);
  const at::Tensor result = products.view(shape);
  return bias.defined() ? result + bias : result;
}

}  // namespace kandinsky::nn
