/// Products of rows with a matrix in int8, summed in integers: few rows are bound by reading the
/// matrix, which takes half the time of bf16.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace kandinsky::nn::kernels {

/// Instructions that multiply pairs of 16-bit integers and add the products.
enum class IntegerDots { kAvx2, kAvxVnni, kAvx512Vnni };

/// Those of this CPU, but AVX-512 only if LibTorch uses it, too. The last are the fastest. Empty
/// without AVX2.
const std::vector<IntegerDots>& integer_dots();

/// (x W^T) * scales + bias over the last dimension, in fp32. x: fp32. weight: int8 [out, in],
/// contiguous. scales: fp32 [out], factors of the matrix's rows. bias: fp32 [out] or undefined.
/// Each row of x is rounded to 16 bits, by 1/65534 of its largest element at most, and the sums
/// are exact: a row of the result depends on nothing but its row of x, not even on `dots`. A row
/// with a number that is not finite has none that is, and one of numbers below 1e-34 counts as
/// zeros.
at::Tensor int8_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scales,
                         const at::Tensor& bias, IntegerDots dots);

}  // namespace kandinsky::nn::kernels
