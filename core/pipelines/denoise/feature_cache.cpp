#include "pipelines/denoise/feature_cache.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace kandinsky::pipelines {

void FeatureCache::begin(int64_t image, std::vector<int64_t> rows) {
  if (interval_ == 1) return;
  Image& kept = images_[static_cast<size_t>(image)];
  if (kept.evaluations == interval_ || kept.rows != rows) {
    kept = {};
    kept.rows = std::move(rows);
  }
  ++kept.evaluations;
}

at::Tensor* FeatureCache::at(int64_t image, size_t call) {
  if (interval_ == 1) return nullptr;
  std::vector<at::Tensor>& features = images_[static_cast<size_t>(image)].features;
  if (call >= features.size()) features.resize(call + 1);
  return &features[call];
}

}  // namespace kandinsky::pipelines
