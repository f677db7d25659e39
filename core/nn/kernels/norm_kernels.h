/// Group norms of channels-last maps on a CPU, each in two passes over the map: one for the
/// statistics, one for everything that follows. LibTorch takes four and more passes for that, and
/// its variance cancels on even surfaces.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace kandinsky::nn::kernels {

/// Whether a map is one that this file is for: fp32 or bf16, on a CPU, [B, C, H, W] in
/// channels-last order.
bool is_for(const at::Tensor& map);

/// What brings each channel of each map to mean 0 and variance 1 over its group, then to the norm's
/// own weight and bias: map * scale + shift. fp32 [B, C].
struct ChannelAffine {
  at::Tensor scale;
  at::Tensor shift;
};

/// weight, bias: [C]. The result does not depend on the number of threads.
ChannelAffine group_norm(const at::Tensor& map, int64_t groups, double eps,
                         const at::Tensor& weight, const at::Tensor& bias);

enum class Then { kNothing, kSilu };

/// Of the map's type: [B, C, h, w] in channels-last order, where h and w divide the map's H and W,
/// so that each cell is for a rectangle of the map. Both undefined: nothing.
struct Cells {
  at::Tensor factor;
  at::Tensor addend;
};

/// then((map * scale + shift) * factor + addend), computed in fp32. `result` is of the map's type
/// and shape, channels-last, and may be the map itself.
void apply(const at::Tensor& map, const ChannelAffine& affine, const Cells& cells, Then then,
           at::Tensor& result);

}  // namespace kandinsky::nn::kernels
