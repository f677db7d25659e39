/// Products of few rows with a matrix that lies in memory as its file has it, in fp32: each number
/// of it is widened on the way into the registers. Loading it is reading it; and where rows are few
/// a product takes as long as its matrix takes to arrive, which in fp16 is half of fp32's time.
#pragma once

#include <ATen/core/Tensor.h>

#include "tensor/device.h"

namespace kandinsky::nn::kernels {

/// Whether layers of this placement multiply so: in fp32, on a CPU with AVX2, FMA and F16C.
bool has_row_products(const tensor::Placement& placement);

/// x W^T + bias over the last dimension. x: fp32. weight: [out, in], fp32, fp16 or bf16,
/// contiguous. bias: fp32 [out] or undefined. Each element is summed in an order of its own,
/// whatever the other rows and the threads are.
at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace kandinsky::nn::kernels
