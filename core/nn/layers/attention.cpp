#include "nn/layers/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <c10/util/Optional.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "nn/kernels/tiled_attention.h"
#include "tensor/arena.h"
#include "tensor/cpu.h"
#include "tensor/device.h"

namespace kandinsky::nn {
namespace {

/// Heads with fewer scores in total are multiplied at once: for small maps, calls are expensive.
constexpr int64_t kScoresAtOnce = int64_t{1} << 22;
/// Queries of one head at a time, if a head has more scores than that: few enough for their
/// scores to stay in the caches, and enough to amortise reading all keys and values.
constexpr int64_t kQueriesAtOnce = 512;

at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

/// [B, heads, T, size] -> [B * heads, T, size]
at::Tensor fold_heads(const at::Tensor& x) {
  return x.reshape({x.size(0) * x.size(1), x.size(2), x.size(3)});
}

at::Tensor by_products(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor scaled = fold_heads(q * (1.0 / std::sqrt(static_cast<double>(q.size(3)))));
  const at::Tensor keys = fold_heads(k).transpose(1, 2);
  const at::Tensor values = fold_heads(v);
  const int64_t scores_of_head = scaled.size(1) * values.size(1);
  const int64_t heads = std::max<int64_t>(1, kScoresAtOnce / std::max<int64_t>(1, scores_of_head));
  const int64_t rows =
      scores_of_head > kScoresAtOnce ? std::min(kQueriesAtOnce, scaled.size(1)) : scaled.size(1);
  at::Tensor result = tensor::recycled(scaled.sizes(), q.options());
  // The same memory for all scores.
  const at::Tensor scratch =
      tensor::recycled({std::min(heads, scaled.size(0)) * rows * values.size(1)}, q.options());
  for (int64_t head = 0; head < scaled.size(0); head += heads) {
    const auto of_heads = [head, heads](const at::Tensor& x) {
      return x.slice(0, head, head + heads);
    };
    for (int64_t row = 0; row < scaled.size(1); row += rows) {
      const at::Tensor own = of_heads(scaled).slice(1, row, row + rows);
      at::Tensor scores = scratch.narrow(0, 0, own.size(0) * own.size(1) * values.size(1))
                              .view({own.size(0), own.size(1), values.size(1)});
      at::bmm_out(scores, own, of_heads(keys));
      at::softmax_out(scores, scores, -1);
      at::Tensor out = of_heads(result).slice(1, row, row + rows);
      at::bmm_out(out, scores, of_heads(values));
    }
  }
  return result.view(q.sizes());
}

}  // namespace

AttentionKernel attention_kernel(const tensor::Placement& placement) {
  if (kernels::has_tiled_attention(placement)) return AttentionKernel::kTiled;
  const bool is_batched = placement.speedups.batched_attention && placement.device.is_cpu() &&
                          placement.dtype == at::kBFloat16 && !tensor::has_bf16_tiles();
  return is_batched ? AttentionKernel::kBatched : AttentionKernel::kFused;
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads,
                     AttentionKernel kernel, const AttentionOptions& options) {
  const bool is_masked = options.mask.defined() || options.masking != Masking::kNone;
  if (kernel == AttentionKernel::kTiled && !is_masked)
    return kernels::tiled_attention(q, {k}, {v}, heads);
  const at::Tensor queries = split_heads(q, heads);
  const at::Tensor keys = split_heads(k, heads);
  const at::Tensor values = split_heads(v, heads);
  const bool is_batched =
      (kernel == AttentionKernel::kBatched || (q.is_cpu() && q.size(1) < kFewestQueries)) &&
      !is_masked;
  c10::optional<at::Tensor> mask;  // torch 2.1 has its own optional, later versions use std's
  if (options.mask.defined()) mask = options.mask;
  const at::Tensor mixed =
      is_batched ? by_products(queries, keys, values)
                 : at::scaled_dot_product_attention(queries, keys, values, mask, /*dropout_p=*/0.0,
                                                    options.masking == Masking::kCausal);
  return mixed.transpose(1, 2).reshape({q.size(0), q.size(1), q.size(2)});
}

at::Tensor attention_of_parts(const at::Tensor& q, const std::vector<at::Tensor>& keys,
                              const std::vector<at::Tensor>& values, int64_t heads,
                              AttentionKernel kernel) {
  if (kernel == AttentionKernel::kTiled) return kernels::tiled_attention(q, keys, values, heads);
  return attention(q, at::cat(keys, 1), at::cat(values, 1), heads, kernel);
}

}  // namespace kandinsky::nn
