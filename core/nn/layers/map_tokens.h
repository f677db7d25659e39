#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace kandinsky::nn {

/// [B, C, H, W] -> [B, H*W, C]; a view for channels-last maps.
at::Tensor map_to_tokens(const at::Tensor& map);

/// [B, H*W, C] -> [B, C, H, W], channels-last.
at::Tensor tokens_to_map(const at::Tensor& tokens, int64_t height, int64_t width);

}  // namespace kandinsky::nn
