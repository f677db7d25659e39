/// An approximation: the predicted clean latents change smoothly from step to step.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "options/requests.h"

namespace kandinsky::pipelines {

/// Extrapolates an image's guided prediction of its clean latents from those of earlier steps, so
/// that the network does not run in every step. The choice of steps depends only on the image:
/// when other rows of embeds guide it, the history starts again. Source: "Spectrum",
/// arXiv:2603.01623.
class Forecast {
 public:
  explicit Forecast(const DenoiseRequest& request);

  /// A step of this image begins. index: of the steps that run, from 0. rows: that guide it.
  /// Returns its clean latents, or an undefined tensor if the network must run and keep() must be
  /// called.
  at::Tensor begin(int64_t image, int index, std::vector<int64_t> rows);

  /// pred_original_sample: [1, C, h, w], the network's prediction in that step.
  void keep(int64_t image, int index, const at::Tensor& pred_original_sample);

  bool is_on() const { return is_on_; }

 private:
  struct Image {
    std::vector<int64_t> rows;
    int computed = 0;  ///< steps, with these rows
    int in_a_row = 0;  ///< forecasts since the last of them
    double interval = 0.0;
    std::vector<std::pair<int, at::Tensor>> history;  ///< by index, the latest last
  };
  at::Tensor extrapolate(const Image& image, int index) const;

  bool is_on_;
  int warmup_;
  int first_of_the_end_;  ///< this and all later steps are computed
  double interval_;
  double growth_;
  double blend_;
  std::vector<Image> images_;
};

}  // namespace kandinsky::pipelines
