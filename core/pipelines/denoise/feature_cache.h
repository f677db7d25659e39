/// An approximation: the output of the UNet's inner levels changes little from step to step.
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
  /// interval: every n-th evaluation of an image computes them again; 1: all do, and
  /// nothing is kept.
  FeatureCache(int interval, int64_t num_images)
      : interval_(interval), images_(static_cast<size_t>(num_images)) {}

  /// An evaluation of this image begins. rows: that guide it; features are used only for the same
  /// rows.
  void begin(int64_t image, std::vector<int64_t> rows);

  /// The features of the UNet's call for the conditionings from number `call` on in that
  /// evaluation: undefined if the call must compute them. Null if none are kept.
  at::Tensor* at(int64_t image, size_t call);

 private:
  struct Image {
    int evaluations = 0;  ///< that used the features, including the one that made them
    std::vector<int64_t> rows;
    std::vector<at::Tensor> features;  ///< by call
  };
  int interval_;
  std::vector<Image> images_;
};

}  // namespace kandinsky::pipelines
