#include "pipelines/denoise/feature_cache.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

namespace kandinsky::pipelines {
namespace {

/// Whether an evaluation finds features; leaves some if not.
bool finds(FeatureCache& cache, int64_t image, const std::vector<int64_t>& rows, size_t call = 0) {
  cache.begin(image, rows);
  at::Tensor* const features = cache.at(image, call);
  if (features->defined()) return true;
  *features = at::ones({1});
  return false;
}

TEST(FeatureCacheTest, AnIntervalOfOneKeepsNothing) {
  FeatureCache cache(1, 1);
  cache.begin(0, {0});
  EXPECT_EQ(cache.at(0, 0), nullptr);
}

TEST(FeatureCacheTest, FeaturesServeOneIntervalEach) {
  FeatureCache cache(3, 1);
  std::vector<bool> found;
  for (int i = 0; i < 7; ++i) found.push_back(finds(cache, 0, {0}));
  EXPECT_EQ(found, (std::vector<bool>{false, true, true, false, true, true, false}));
}

TEST(FeatureCacheTest, OtherRowsNeedOtherFeatures) {
  FeatureCache cache(10, 1);
  EXPECT_FALSE(finds(cache, 0, {1, 0, 0}));
  EXPECT_TRUE(finds(cache, 0, {1, 0, 0}));
  EXPECT_FALSE(finds(cache, 0, {1, 0, 1})) << "the prompt changed";
  EXPECT_FALSE(finds(cache, 0, {0, 1})) << "guidance ended";
}

TEST(FeatureCacheTest, ImagesAndCallsHaveTheirOwn) {
  FeatureCache cache(4, 2);
  EXPECT_FALSE(finds(cache, 0, {0}));
  EXPECT_FALSE(finds(cache, 1, {0}));
  EXPECT_FALSE(cache.at(0, 2)->defined());
  EXPECT_TRUE(cache.at(0, 0)->defined());
  EXPECT_TRUE(finds(cache, 1, {0}));
}

}  // namespace
}  // namespace kandinsky::pipelines
