/// Products of few rows with a matrix in its file's type, in fp32: its elements are
/// widened in registers. Loading it is only reading; and with few rows
/// a product is bound by the matrix's memory bandwidth, which in fp16 is half of fp32's.
#pragma once

#include <ATen/core/Tensor.h>

#include "tensor/device.h"

namespace kandinsky::nn::kernels {

/// Whether layers of this placement use these products: in fp32, on a CPU with AVX2, FMA and F16C.
bool has_row_products(const tensor::Placement& placement);

/// x W^T + bias over the last dimension. x: fp32. weight: [out, in], fp32, fp16 or bf16,
/// contiguous. bias: fp32 [out] or undefined. Each element is summed in a fixed order,
/// independent of other rows and threads.
at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace kandinsky::nn::kernels
