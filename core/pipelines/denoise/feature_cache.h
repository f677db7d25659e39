/// An approximation: from one step to the next, what the UNet's inner levels say changes little.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kandinsky::pipelines {

/// Deep features of the UNet, kept from one evaluation of an image for the next ones. Source: Ma,
/// Fang and Wang, "DeepCache: Accelerating Diffusion Models for Free", CVPR 2024, with whole
/// intervals and the outermost level as its branch.
class FeatureCache {
 public:
  /// interval: of an image's evaluations each first of so many makes them anew; 1: all do, and
  /// nothing is kept.
  FeatureCache(int interval, int64_t num_images)
      : interval_(interval), images_(static_cast<size_t>(num_images)) {}

  /// An evaluation of this image begins. rows: what guides it; the features are those of the same
  /// rows only.
  void begin(int64_t image, std::vector<int64_t> rows);

  /// The features of the call of the UNet for the conditionings from number `call` on in that
  /// evaluation: undefined where they are to be made. Null if none are kept.
  at::Tensor* at(int64_t image, size_t call);

 private:
  struct Image {
    int evaluations = 0;  ///< that the features have served, the one that made them included
    std::vector<int64_t> rows;
    std::vector<at::Tensor> features;  ///< by call
  };
  int interval_;
  std::vector<Image> images_;
};

}  // namespace kandinsky::pipelines
