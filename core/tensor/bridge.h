/// Plain memory <-> tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "io/tensor_file.h"

namespace kandinsky::tensor {

/// A tensor of a file on the CPU, in its own type. Throws as TensorFile::read.
at::Tensor read_tensor(const io::TensorFile& file, const io::StoredTensor& stored);

/// LibTorch's type of a DType.
at::ScalarType scalar_type(io::DType dtype);

/// fp32 CPU copy of a caller's elements.
at::Tensor from_floats(const float* data, at::IntArrayRef shape);

/// Ids as an int64 tensor [1, ids.size()].
at::Tensor from_ids(const std::vector<int64_t>& ids);

/// uint8 images [B, H, W, 3] of a caller -> fp32 [B, 3, H, W] in [-1, 1].
at::Tensor from_images(const uint8_t* data, int64_t batch_size, int64_t height, int64_t width);

/// pixels: [B, C, H, W] -> [B, C, height, width], padded by repeating the right and the lower
/// border.
at::Tensor extend_border(const at::Tensor& pixels, int64_t height, int64_t width);

/// [B, 3, H, W] in [-1, 1] -> the caller's uint8 [B, height, width, 3], the top left height x width
/// of it. Clamped, and rounded half to even. Source: diffusers, VaeImageProcessor.
void to_images(const at::Tensor& pixels, int64_t height, int64_t width, uint8_t* data);

}  // namespace kandinsky::tensor
