/// Bands of rows are an order of work: the numbers are those of the whole map.
#include "nn/layers/row_bands.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <optional>

#include "io/model_dir.h"
#include "nn/layers/norm.h"
#include "nn/movq/movq.h"
#include "tensor/noise.h"

namespace kandinsky::nn {
namespace {

using kernels::Cells;
using kernels::Then;

at::Tensor random_map(uint64_t seed, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
  return tensor::NoiseSource({seed}).draw(0, shape).to(dtype).contiguous(
      at::MemoryFormat::ChannelsLast);
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor difference = (a.to(at::kFloat) - b.to(at::kFloat)).abs();
  return difference.max().item<double>() / b.to(at::kFloat).abs().max().item<double>();
}

class RowBandsTest : public testing::Test {
 protected:
  /// Group norm of 8 channels in 2 groups.
  static NormedRows normed(const at::Tensor& map, const Cells& cells) {
    return {map,
            kernels::group_norm(map, 2, 1e-6, at::arange(1, 9).to(map.dtype()),
                                at::arange(8).to(map.dtype())),
            cells, Then::kSilu};
  }
  static at::Tensor whole(const NormedRows& rows) {
    at::Tensor result = rows.empty_rows(rows.height());
    rows.write(0, rows.height(), result);
    return result;
  }
  static Conv2d conv(at::ScalarType dtype) {
    tensor::Placement placement;
    placement.dtype = dtype;
    return {random_map(7, {8, 8, 3, 3}, dtype),
            random_map(8, {1, 8, 1, 1}, dtype).flatten(),
            {.in_channels = 8, .out_channels = 8},
            placement};
  }
  const tensor::JobGuard guard_;
};

TEST_F(RowBandsTest, AnyRowsAreThoseOfTheWholeNorm) {
  const at::Tensor map = random_map(1, {1, 8, 24, 12});
  const Cells cells{.factor = random_map(2, {1, 8, 6, 3}), .addend = random_map(3, {1, 8, 6, 3})};
  for (const Cells& some : {Cells{}, cells}) {
    const NormedRows rows = normed(map, some);
    const at::Tensor all = whole(rows);
    for (int64_t first = 0; first < 24; ++first) {
      for (int64_t last = first + 1; last <= 24; ++last) {
        at::Tensor part = rows.empty_rows(last - first);
        rows.write(first, last, part);
        ASSERT_TRUE(part.equal(all.slice(2, first, last))) << first << " to " << last;
      }
    }
  }
}

TEST_F(RowBandsTest, ConvolutionsAreThoseOfTheWholeMap) {
  // Three whole bands and one of a few rows.
  const std::vector<int64_t> shape{1, 8, 3 * 64 + 5, 2048};
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor map = random_map(1, shape, dtype);
    const NormedRows rows = normed(map, {});
    ASSERT_LE(rows.rows_at_once(), dtype == at::kFloat ? 64 : 128);
    const Conv2d convolution = conv(dtype);
    const double bound = dtype == at::kFloat ? 1e-5 : 1e-2;
    for (const PaddingMode mode : {PaddingMode::kZeros, PaddingMode::kCircular}) {
      const at::Tensor input = whole(rows);
      EXPECT_LT(
          relative_difference(convolve_in_bands(rows, convolution, mode), convolution(input, mode)),
          bound);
      // Into the map that is read, with something added.
      const at::Tensor addend = random_map(9, shape, dtype);
      at::Tensor result = map.clone();
      convolve_in_bands(
          normed(result, {}), convolution, mode,
          [&](int64_t first, int64_t last) { return addend.slice(2, first, last); }, result);
      EXPECT_LT(relative_difference(result, convolution.add_to(addend, input, mode)), bound);
    }
  }
}

TEST_F(RowBandsTest, SmallMapsHaveNone) {
  const io::ComponentFiles files =
      io::ModelDir::open(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1").weights("movq");
  const MovqNorm norm(tensor::Weights::open(files, {}).scope("encoder.conv_norm_out"), 32,
                      {.groups = 32, .zq_channels = 0});
  EXPECT_FALSE(norm.in_bands(random_map(1, {1, 32, 64, 64}), {}, Then::kSilu));
  EXPECT_TRUE(norm.in_bands(random_map(1, {1, 32, 512, 512}), {}, Then::kSilu));
  EXPECT_FALSE(norm.in_bands(random_map(1, {2, 32, 512, 512}), {}, Then::kSilu));
}

TEST_F(RowBandsTest, ImagesAreTheSame) {
  const io::ComponentFiles files =
      io::ModelDir::open(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1").weights("movq");
  const MovqConfig config = MovqConfig::from_json(io::JsonConfig::load(files.config_path()));
  tensor::Placement plain;
  plain.speedups = tensor::speedups_without({"row-bands"});
  const Movq banded(config, tensor::Weights::open(files, {}));
  const Movq whole(config, tensor::Weights::open(files, plain));
  const at::Tensor latents = random_map(1, {1, 4, 512 / config.factor(), 512 / config.factor()});
  const at::Tensor pixels = random_map(2, {1, 3, 512, 512});
  // Each padding once: the test above compares the convolutions in both.
  const auto zeros = PaddingMode::kZeros;
  const auto circular = PaddingMode::kCircular;
  EXPECT_LT(relative_difference(banded.decode(latents, circular), whole.decode(latents, circular)),
            1e-5);
  EXPECT_LT(relative_difference(banded.encode(pixels, zeros), whole.encode(pixels, zeros)), 1e-5);
}

}  // namespace
}  // namespace kandinsky::nn
