#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "tensor/device.h"

namespace kandinsky::nn {

/// With fewer queries, the fused kernel's rounding depends on the number of threads.
inline constexpr int64_t kFewestQueries = 4;

enum class Masking { kNone, kCausal };

/// How attention is computed. The results are equal up to rounding.
enum class AttentionKernel {
  kFused,    ///< LibTorch's scaled_dot_product_attention
  kBatched,  ///< matrix products of a slice of the queries at a time; with a mask, the first
  kTiled,    ///< kernels::tiled_attention; with a mask, the first
};

/// The fastest method for a placement: on CPUs without AMX, LibTorch's fused kernel multiplies bf16
/// only at fp32's rate, unlike the others.
AttentionKernel attention_kernel(const tensor::Placement& placement);

struct AttentionOptions {
  at::Tensor mask{};  ///< broadcastable to [B, heads, T, S], added to the scores; may be undefined
  Masking masking = Masking::kNone;  ///< kCausal hides keys behind the query's own position and
                                     ///< takes no mask
};

/// softmax(q k^T / sqrt(head size) + mask) v, by heads.
/// q: [B, T, heads * size], k and v: [B, S, heads * size]. Returns [B, T, heads * size].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads,
                     AttentionKernel kernel, const AttentionOptions& options = {});

/// The same, without a mask, of keys and values in parts that follow one another along S.
at::Tensor attention_of_parts(const at::Tensor& q, const std::vector<at::Tensor>& keys,
                              const std::vector<at::Tensor>& values, int64_t heads,
                              AttentionKernel kernel);

}  // namespace kandinsky::nn
