#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kandinsky.hpp"
#include "serve/task.h"

namespace kandinsky::serve {

/// Cheap previews: an affine map from latents to colours, fitted once for a model. The decoder
/// is too slow for every few steps and cannot be called while a job runs. The map is fitted on one
/// encoded chart of smooth colours. It reproduces colours and positions, but no textures.
class Projection {
 public:
  /// Encodes the chart. Throws StatusError.
  explicit Projection(Engine& engine);

  /// The first image of the latents, `factor` pixels for each latent in each direction.
  Image image(const Latents& latents, std::int32_t factor) const;

 private:
  static constexpr std::size_t kUnknowns = 5;  ///< a weight for each channel, and a constant
  std::array<std::array<double, kUnknowns>, 3> weights_{};  ///< of red, green and blue
};

}  // namespace kandinsky::serve
