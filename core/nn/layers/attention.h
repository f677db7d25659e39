#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace kandinsky::nn {

enum class Masking { kNone, kCausal };

/// softmax(q k^T / sqrt(head size) + mask) v, by heads.
/// q: [B, T, heads * size], k and v: [B, S, heads * size], mask: broadcastable to [B, heads, T, S],
/// added to the scores. Returns [B, T, heads * size]. kCausal hides keys behind the query's own
/// position and takes no mask.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads,
                     const std::optional<at::Tensor>& mask = std::nullopt,
                     Masking masking = Masking::kNone);

/// [B, C, H, W] -> [B, H*W, C]; a view for channels-last maps.
at::Tensor map_to_tokens(const at::Tensor& map);

/// [B, H*W, C] -> [B, C, H, W], channels-last.
at::Tensor tokens_to_map(const at::Tensor& tokens, int64_t height, int64_t width);

}  // namespace kandinsky::nn
