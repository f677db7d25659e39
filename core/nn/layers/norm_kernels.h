/// Group norms of channels-last maps on a CPU, each in two passes over the map: one for the
/// statistics, one for everything that follows. LibTorch takes four and more passes for that, and
/// its variance cancels on even surfaces.
#pragma once

#include <ATen/core/Tensor.h>

namespace kandinsky::nn::kernels {

/// Whether a map is one that this file is for: fp32 or bf16, on a CPU, [B, C, H, W] in
/// channels-last order.
bool is_for(const at::Tensor& map);

/// Of each group of channels of each map.
struct GroupStatistics {
  at::Tensor mean;  ///< fp32 [B, groups]
  at::Tensor rstd;  ///< fp32 [B, groups]: 1 / sqrt(variance + eps)
};

/// The result does not depend on the number of threads.
GroupStatistics group_statistics(const at::Tensor& map, int64_t groups, double eps);

enum class Then { kNothing, kSilu };

/// map * scale + shift, computed in fp32, then the activation; of the map's type and shape.
/// scale, shift: fp32 [B, h, w, C], where h and w divide the map's H and W: each cell is for a
/// rectangle of the map.
at::Tensor scale_and_shift(const at::Tensor& map, const at::Tensor& scale, const at::Tensor& shift,
                           Then then);

}  // namespace kandinsky::nn::kernels
