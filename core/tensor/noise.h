/// Seeded noise, equal to diffusers' `randn_tensor` with CPU generators.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace kandinsky::tensor {

/// One random stream per image, so that an image does not depend on the others in its batch.
/// Draws on the CPU in fp32 for any device, so that a seed gives the same image everywhere.
class NoiseSource {
 public:
  explicit NoiseSource(const std::vector<uint64_t>& seeds);

  /// The next draw of image `index`: standard normal noise of `shape`, fp32 on the CPU.
  at::Tensor draw(size_t index, at::IntArrayRef shape);

  /// The next draw of every image, each of shape [1, ...tail], concatenated to [images, ...tail].
  at::Tensor draw_all(at::IntArrayRef tail);

 private:
  std::vector<at::Generator> generators_;
};

}  // namespace kandinsky::tensor
