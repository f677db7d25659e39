/// Layers whose weights an earlier process prepared give the same bits.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "io/cache_folder.h"
#include "nn/layers/conv.h"
#include "nn/layers/linear.h"
#include "nn/layers/upsampled_conv.h"
#include "tensor/noise.h"
#include "tensor/prepared_weights.h"
#include "tensor/weights.h"
#include "unit/nn/stored_weights.h"
#include "unit/support.h"

namespace kandinsky::nn {
namespace {

struct Case {
  std::string name;
  std::vector<int64_t> weight;
  std::vector<int64_t> input;
  std::function<at::Tensor(const tensor::Weights& weights, const at::Tensor& x)> run;
  bool few_rows = false;
  bool int8_weights = false;
};

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor convolve(const tensor::Weights& weights, const at::Tensor& x, const ConvShape& shape) {
  return Conv2d(weights, shape)(channels_last(x));
}

std::vector<Case> cases() {
  return {
      {"linear",
       {77, 133},
       {5, 133},
       [](const auto& weights, const at::Tensor& x) { return Linear(weights, 133, 77)(x); }},
      {"few_rows",
       {77, 133},
       {5, 133},
       [](const auto& weights, const at::Tensor& x) { return Linear(weights, 133, 77)(x); },
       true},
      {"int8",
       {77, 133},
       {5, 133},
       [](const auto& weights, const at::Tensor& x) { return Linear(weights, 133, 77)(x); },
       true,
       true},
      {"winograd",
       {128, 96, 3, 3},
       {2, 96, 11, 13},
       [](const auto& weights, const at::Tensor& x) {
         return convolve(weights, x, {.in_channels = 96, .out_channels = 128});
       }},
      {"narrow",
       {20, 12, 3, 3},
       {2, 12, 11, 13},
       [](const auto& weights, const at::Tensor& x) {
         return convolve(weights, x, {.in_channels = 12, .out_channels = 20, .stride = 2});
       }},
      {"pointwise",
       {20, 12, 1, 1},
       {2, 12, 11, 13},
       [](const auto& weights, const at::Tensor& x) {
         return convolve(
             weights, x,
             {.in_channels = 12, .out_channels = 20, .kernel = 1, .stride = 1, .padding = 0});
       }},
      {"doubled",
       {96, 96, 3, 3},
       {2, 96, 11, 13},
       [](const auto& weights, const at::Tensor& x) {
         return UpsampledConv2d(weights, 96, 96)(channels_last(x), PaddingMode::kZeros);
       }},
      {"doubled_narrow",
       {12, 12, 3, 3},
       {2, 12, 11, 13},
       [](const auto& weights, const at::Tensor& x) {
         return UpsampledConv2d(weights, 12, 12)(channels_last(x), PaddingMode::kZeros);
       }},
  };
}

class PreparedLayersTest : public testing::TestWithParam<std::tuple<Case, at::ScalarType>> {};

TEST_P(PreparedLayersTest, SameBits) {
  if (!tensor::can_prepare_weights()) GTEST_SKIP() << "this LibTorch cannot store packed tensors";
  const auto& [layer, dtype] = GetParam();
  const test::TempFolder folder;
  const test::StoredWeights stored(
      {{"weight", tensor::NoiseSource({1}).draw(0, layer.weight).to(at::kHalf)},
       {"bias", tensor::NoiseSource({2}).draw(0, {layer.weight[0]}).to(at::kHalf)}});
  const tensor::Placement placement{
      .dtype = dtype, .few_rows = layer.few_rows, .int8_weights = layer.int8_weights};
  const at::Tensor x = tensor::NoiseSource({3}).draw(0, layer.input).to(dtype);
  const tensor::Weights weights = stored.open(placement);
  const at::Tensor plain = layer.run(weights.anew(placement), x);
  for (const bool is_first : {true, false}) {
    const auto kept = std::make_shared<tensor::PreparedWeights>(
        io::CacheFolder(folder.path(), 1'000'000'000), "layer", weights.digest(), placement);
    const tensor::Weights with_kept = weights.anew(placement, kept);
    EXPECT_TRUE(layer.run(with_kept, x).equal(plain)) << is_first;
    with_kept.finish();
    if (kept->has_news()) kept->write([] {});
    EXPECT_EQ(kept->mapped_bytes() > 0, !is_first && folder.num_files() > 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PreparedLayersTest,
                         testing::Combine(testing::ValuesIn(cases()),
                                          testing::Values(at::kFloat, at::kBFloat16)),
                         [](const auto& layer) {
                           return std::get<0>(layer.param).name + "_" +
                                  c10::toString(std::get<1>(layer.param));
                         });

}  // namespace
}  // namespace kandinsky::nn
