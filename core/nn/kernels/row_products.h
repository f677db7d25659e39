/// Products of few rows with a matrix in a smaller type, in fp32: its elements are widened in
/// registers. A product of few rows is bound by reading the matrix, which takes half the time in
/// fp16. One in its file's type is loaded by reading alone.
#pragma once

#include <ATen/core/Tensor.h>

#include "tensor/device.h"

namespace kandinsky::nn::kernels {

/// On CPUs with AVX2, FMA and F16C.
bool has_row_products();

/// Whether layers of this placement keep their matrices in the file's type for these products.
bool keeps_stored_matrices(const tensor::Placement& placement);

/// Those that LibTorch uses, too; a test chooses others.
enum class RowVectors { kAvx2, kAvx512 };
RowVectors widest_row_vectors();

/// x W^T + bias over the last dimension. x: fp32. weight: [out, in], fp32, fp16 or bf16,
/// contiguous. bias: fp32 [out] or undefined. Each element is summed in a fixed order, independent
/// of other rows and threads, but not of the vectors.
at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        RowVectors vectors = widest_row_vectors());

}  // namespace kandinsky::nn::kernels
