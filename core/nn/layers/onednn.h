/// Convolutions and linear layers with packed weights: in the order in which oneDNN reads them.
/// LibTorch has them as operators of its dispatcher only, without C++ headers.
#pragma once

#include <ATen/core/Tensor.h>

#include "tensor/device.h"

namespace kandinsky::nn::onednn {

/// Whether weights of this placement are to be packed, and can be. LibTorch may lack the operators,
/// or have them for other types; so each type is tried once, on small numbers, against the plain
/// operators.
bool can_pack(const tensor::Placement& placement);

/// What follows a product within the same pass over its result.
struct Epilogue {
  const char* activation = "none";  ///< or "gelu", the exact one
  at::Tensor addend{};              ///< of the result's shape; excludes an activation
};

struct ConvGeometry {
  int64_t stride = 1;
  int64_t row_padding = 0;  ///< above and below
  int64_t column_padding = 0;
};

/// weight: [out, in, kernel, kernel] or [out, in].
at::Tensor pack_convolution(const at::Tensor& weight, const ConvGeometry& geometry);
at::Tensor pack_linear(const at::Tensor& weight);

/// x and addend: channels-last, as is the result. bias: [out] or undefined.
at::Tensor convolution(const at::Tensor& x, const at::Tensor& packed_weight, const at::Tensor& bias,
                       const ConvGeometry& geometry, const Epilogue& epilogue = {});

at::Tensor linear(const at::Tensor& x, const at::Tensor& packed_weight, const at::Tensor& bias,
                  const Epilogue& epilogue = {});

}  // namespace kandinsky::nn::onednn
