/// Attention in bf16, in tiles of queries and keys that stay in a core's own cache, with a softmax
/// that is corrected from tile to tile. Scores exist only in registers and the innermost
/// cache, in fp32.
///
/// Source: Dao, Fu, Ermon, Rudra and Re, FlashAttention (2022).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "tensor/device.h"

namespace kandinsky::nn::kernels {

/// Whether layers of this placement use it: in bf16, on a CPU with AVX512-BF16 and without
/// AMX.
bool has_tiled_attention(const tensor::Placement& placement);

/// softmax(q k^T / sqrt(head size)) v, by heads. q: bf16 [B, T, heads * size]. keys, values: bf16
/// [B, S, heads * size], in one or more parts along S. Returns [B, T, heads * size]. Each row
/// is computed in a fixed order, independent of threads and of other rows.
at::Tensor tiled_attention(const at::Tensor& q, const std::vector<at::Tensor>& keys,
                           const std::vector<at::Tensor>& values, int64_t heads);

}  // namespace kandinsky::nn::kernels
