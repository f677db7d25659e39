/// Winograd's filtering gives what a convolution gives.
#include "nn/kernels/winograd.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/kernels/onednn.h"
#include "nn/kernels/winograd_kernels.h"
#include "nn/layers/conv.h"
#include "nn/layers/upsampled_conv.h"
#include "tensor/noise.h"
#include "tensor/run_context.h"

namespace kandinsky::nn {
namespace {

using kernels::Tiling;

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

/// In fp64, of the numbers as they are.
at::Tensor plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                 Tiling tiling, int64_t row_padding, int64_t column_padding) {
  const at::Tensor map = tiling == Tiling::kDoubled ? doubled(x) : x;
  // A doubled map that lies within a larger one has two more places than needed at either end.
  const int64_t rows = tiling == Tiling::kDoubled && row_padding == 0 ? 1 : 0;
  const int64_t columns = tiling == Tiling::kDoubled && column_padding == 0 ? 1 : 0;
  const at::Tensor within = map.slice(2, rows, map.size(2) - rows)
                                .slice(3, columns, map.size(3) - columns)
                                .to(at::kDouble);
  return at::conv2d(within, weight.to(at::kDouble),
                    bias.defined() ? bias.to(at::kDouble) : at::Tensor(), {1, 1},
                    {row_padding, column_padding});
}

double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor difference = (actual.to(at::kDouble) - expected).abs().max();
  return difference.item<double>() / expected.abs().max().item<double>();
}

struct Case {
  std::string name;
  Tiling tiling;
  std::array<int64_t, 4> map;  ///< [B, C, H, W]
  int64_t out_channels;
  int64_t row_padding = 1;
  int64_t column_padding = 1;
};

class WinogradTest : public testing::TestWithParam<Case> {
 protected:
  const tensor::JobGuard guard_;
};

/// Packed products of a type, and the sums around them.
void expect_what_a_convolution_gives(const Case& c, at::ScalarType dtype) {
  const at::Tensor x = random_tensor(1, c.map).to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor weight = (0.05 * random_tensor(2, {c.out_channels, c.map[1], 3, 3})).to(dtype);
  const at::Tensor bias = random_tensor(3, {c.out_channels}).to(dtype);
  // bf16 keeps 8 bits, of the sums and of the products.
  const double tolerance = dtype == at::kFloat ? 1e-5 : 4e-2;

  const WinogradConv2d conv(WinogradConv2d::prepare(weight, c.tiling), bias, c.tiling);
  const at::Tensor expected = plain(x, weight, bias, c.tiling, c.row_padding, c.column_padding);
  const at::Tensor actual = conv(x, {}, c.row_padding, c.column_padding);
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_TRUE(actual.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(actual.scalar_type(), dtype);
  EXPECT_LT(relative_error(actual, expected), tolerance);

  const at::Tensor residual = random_tensor(4, expected.sizes()).to(dtype);
  EXPECT_LT(relative_error(conv(x, residual, c.row_padding, c.column_padding),
                           expected + residual.to(at::kDouble)),
            tolerance);

  const WinogradConv2d unbiased(WinogradConv2d::prepare(weight, c.tiling), {}, c.tiling);
  EXPECT_LT(relative_error(unbiased(x, {}, c.row_padding, c.column_padding),
                           plain(x, weight, {}, c.tiling, c.row_padding, c.column_padding)),
            tolerance);
}

TEST_P(WinogradTest, GivesWhatAConvolutionGives) {
  ASSERT_TRUE(onednn::can_pack({})) << "LibTorch's builds for x86-64 can pack fp32 everywhere";
  expect_what_a_convolution_gives(GetParam(), at::kFloat);
}

TEST_P(WinogradTest, GivesWhatAConvolutionGivesInBf16) {
  tensor::Placement placement;
  placement.dtype = at::kBFloat16;
  if (!onednn::can_pack(placement))
    GTEST_SKIP() << "this CPU has no bf16 that oneDNN packs for; the sums in bf16 are tried alone";
  expect_what_a_convolution_gives(GetParam(), at::kBFloat16);
}

/// The sums alone, with plain matrix products between: in types that cannot be packed here, too.
TEST_P(WinogradTest, SumsOfBothTypesFitTheirProducts) {
  const Case& c = GetParam();
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    SCOPED_TRACE(at::toString(dtype));
    const at::Tensor x =
        random_tensor(1, c.map).to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor weight = (0.05 * random_tensor(2, {c.out_channels, c.map[1], 3, 3})).to(dtype);
    const at::Tensor bias = random_tensor(3, {c.out_channels});
    const at::Tensor expected = plain(x, weight, bias, c.tiling, c.row_padding, c.column_padding);
    const kernels::TileGrid grid(x, c.tiling, c.row_padding, c.column_padding);
    const int64_t products = kernels::tile_products(c.tiling);
    const at::Tensor tiles = at::empty({products, grid.count(), x.size(1)}, x.options());
    kernels::cut_tiles(x, grid, 0, tiles);
    const at::Tensor product =
        at::bmm(tiles.to(at::kFloat),
                kernels::tile_weight(weight, c.tiling).to(at::kFloat).transpose(1, 2))
            .to(dtype);
    const at::Tensor result =
        at::empty(expected.sizes(), x.options().memory_format(at::MemoryFormat::ChannelsLast));
    kernels::join_tiles(product.unbind(0), grid, 0, bias, {}, result);
    // bf16 keeps 8 bits, of the sums and of the products.
    EXPECT_LT(relative_error(result, expected), dtype == at::kFloat ? 1e-5 : 4e-2);
  }
}

const std::vector<Case> kCases{
    {"Even", Tiling::k2x2, {2, 96, 8, 12}, 128},
    {"Odd", Tiling::k2x2, {1, 128, 7, 5}, 96},
    {"OnePixel", Tiling::k2x2, {1, 96, 1, 1}, 96},
    {"ChannelsThatFillNoBlock", Tiling::k2x2, {2, 100, 6, 6}, 97},
    {"BandOfRows", Tiling::k2x2, {1, 96, 6, 9}, 96, 0, 1},
    {"WithinALargerMap", Tiling::k2x2, {1, 96, 9, 8}, 96, 0, 0},
    {"MoreTilesThanAtOnce", Tiling::k2x2, {1, 96, 70, 66}, 96},
    {"LargeWhole", Tiling::k4x4, {2, 96, 8, 12}, 128},
    {"LargeOneOver", Tiling::k4x4, {1, 128, 9, 5}, 96},
    {"LargeThreeOver", Tiling::k4x4, {1, 128, 7, 11}, 96},
    {"LargeOnePixel", Tiling::k4x4, {1, 96, 1, 1}, 96},
    {"LargeChannelsThatFillNoBlock", Tiling::k4x4, {2, 100, 6, 6}, 97},
    {"LargeBandOfRows", Tiling::k4x4, {1, 96, 6, 9}, 96, 0, 1},
    {"LargeWithinALargerMap", Tiling::k4x4, {1, 96, 9, 8}, 96, 0, 0},
    {"LargeMoreTilesThanAtOnce", Tiling::k4x4, {1, 96, 140, 133}, 96},
    {"Doubled", Tiling::kDoubled, {2, 96, 5, 8}, 128},
    {"DoubledOnePixel", Tiling::kDoubled, {1, 96, 1, 1}, 96},
    {"DoubledWithinALargerMap", Tiling::kDoubled, {2, 96, 6, 5}, 96, 0, 0},
    {"DoubledMoreTilesThanAtOnce", Tiling::kDoubled, {1, 100, 40, 33}, 96},
};

INSTANTIATE_TEST_SUITE_P(Maps, WinogradTest, testing::ValuesIn(kCases),
                         [](const auto& one) { return one.param.name; });

TEST(WinogradConv2d, IsForWideLayersThatCanBePackedUnlessLeftOut) {
  struct Layer {
    std::vector<int64_t> weight_shape;
    bool is_doubled;
    std::optional<Tiling> tiling;
  };
  const std::vector<Layer> layers{
      {{384, 4, 3, 3}, false, {}},
      {{8, 384, 3, 3}, false, {}},
      {{384, 384, 1, 1}, false, {}},
      {{384, 384, 3, 3}, false, Tiling::k4x4},
      {{768, 1920, 3, 3}, false, Tiling::k4x4},
      {{1152, 2688, 3, 3}, false, Tiling::k2x2},
      {{1536, 1536, 3, 3}, false, {}},
      {{1536, 1536, 3, 3}, true, Tiling::kDoubled},
      {{384, 384}, false, {}},
  };
  for (const Layer& layer : layers) {
    SCOPED_TRACE(at::IntArrayRef(layer.weight_shape));
    EXPECT_EQ(WinogradConv2d::tiling_of(layer.weight_shape, layer.is_doubled), layer.tiling);
    EXPECT_EQ(WinogradConv2d::tiling_for(layer.weight_shape, layer.is_doubled, {}), layer.tiling);
    const bool is_large = layer.tiling == kernels::Tiling::k4x4;
    EXPECT_EQ(
        WinogradConv2d::tiling_for(layer.weight_shape, layer.is_doubled, {.small_tiles = true}),
        is_large ? kernels::Tiling::k2x2 : layer.tiling);
  }
  for (const char* left_out : {"winograd", "packed-weights"}) {
    tensor::Placement placement;
    placement.speedups = tensor::speedups_without({left_out});
    EXPECT_FALSE(WinogradConv2d::tiling_for({384, 384, 3, 3}, false, placement).has_value());
  }
}

/// Layers use it where it is for them: what they give must not depend on that.
TEST(WinogradConv2d, LayersGiveTheSameWithAndWithoutIt) {
  const tensor::JobGuard guard;
  const at::Tensor weight = 0.05 * random_tensor(2, {128, 96, 3, 3});
  const at::Tensor bias = random_tensor(3, {128});
  const ConvShape shape{.in_channels = 96, .out_channels = 128};
  tensor::Placement without;
  without.speedups = tensor::speedups_without({"winograd"});
  const Conv2d one(weight, bias, shape, {});
  const Conv2d other(weight, bias, shape, without);
  for (const PaddingMode mode : {PaddingMode::kZeros, PaddingMode::kCircular}) {
    const at::Tensor x =
        random_tensor(1, {2, 96, 10, 7}).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor expected = other(x, mode).to(at::kDouble);
    EXPECT_LT(relative_error(one(x, mode), expected), 1e-5);
    const at::Tensor residual =
        random_tensor(4, {2, 128, 10, 7}).contiguous(at::MemoryFormat::ChannelsLast);
    EXPECT_LT(relative_error(one.add_to(residual, x, mode), expected + residual), 1e-5);
    EXPECT_LT(relative_error(one.of_rows(x, {}, mode), other.of_rows(x, {}, mode).to(at::kDouble)),
              1e-5);
  }
}

/// What is made after a layer must not change it, though it is summed in the same memory.
TEST(WinogradConv2d, LayersThatShareScratchKeepTheirWeights) {
  const tensor::JobGuard guard;
  const std::array sizes{128, 96, 160};  // the third one needs more than there is
  std::vector<at::Tensor> weights;
  for (const int64_t size : sizes)
    weights.push_back(random_tensor(static_cast<uint64_t>(size), {size, 96, 3, 3}));
  const auto layers_of_all = [&] {
    std::vector<WinogradConv2d> layers;
    for (const at::Tensor& weight : weights)
      layers.emplace_back(WinogradConv2d::prepare(weight, Tiling::k2x2), at::Tensor(),
                          Tiling::k2x2);
    return layers;
  };
  const std::vector<WinogradConv2d> alone = layers_of_all();
  std::vector<WinogradConv2d> together;
  {
    const auto scratch = std::make_shared<tensor::Scratch>();
    const tensor::RunScope scope(
        [&](tensor::RunContext& context) { context.filter_scratch = scratch; });
    const void* const memory = scratch->lend({16, 96, 128}, at::kFloat).data_ptr();
    EXPECT_EQ(kernels::tile_weight(weights[0], Tiling::k2x2).data_ptr(), memory);
    together = layers_of_all();
  }
  const at::Tensor x = random_tensor(1, {2, 96, 9, 8}).contiguous(at::MemoryFormat::ChannelsLast);
  for (size_t i = 0; i < alone.size(); ++i)
    EXPECT_TRUE(at::equal(together[i](x, {}, 1, 1), alone[i](x, {}, 1, 1))) << sizes[i];
}

}  // namespace
}  // namespace kandinsky::nn
