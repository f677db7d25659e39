/// Networks whose borders fit each other: what is moved around the border on one side comes out
/// moved on the other.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "io/model_dir.h"
#include "nn/movq/movq.h"
#include "nn/unet/unet.h"
#include "tensor/device.h"
#include "tensor/noise.h"

namespace kandinsky::nn {
namespace {

const io::ModelDir& tiny_model() {
  static const io::ModelDir kModel = io::ModelDir::open(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1");
  return kModel;
}

template <typename Network, typename Config>
Network open(const char* component) {
  const io::ComponentFiles files = tiny_model().weights(component);
  return Network(Config::from_json(io::JsonConfig::load(files.config_path())),
                 tensor::Weights::open(files, tensor::Placement{}));
}

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

/// The largest difference by the largest number.
double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

constexpr double kRounding = 2e-5;
constexpr double kWrong = 1e-2;

class TilingTest : public testing::Test {
 protected:
  const tensor::JobGuard guard_;
};

TEST_F(TilingTest, UNet) {
  const auto unet = open<UNet, UNetConfig>("unet");
  const UNet::Conditioning conditioning = unet.condition(
      random_tensor(1, {1, 16}), random_tensor(2, {1, 16}), random_tensor(3, {1, 77, 24}));
  const at::Tensor sample = random_tensor(4, {1, 4, 16, 24});
  const auto run = [&](const at::Tensor& x, PaddingMode mode) {
    return unet(x, 501, conditioning, mode);
  };
  const at::Tensor plain = run(sample, PaddingMode::kZeros);
  // The levels halve the map three times, so it moves in steps of eight.
  for (const std::vector<int64_t>& shift : {std::vector<int64_t>{8, 0}, {0, 8}, {8, 16}}) {
    const at::Tensor moved = sample.roll(shift, {2, 3});
    const auto expected = [&](PaddingMode mode) { return run(sample, mode).roll(shift, {2, 3}); };
    EXPECT_LT(difference(run(moved, PaddingMode::kCircular), expected(PaddingMode::kCircular)),
              kRounding);
    EXPECT_GT(difference(run(moved, PaddingMode::kZeros), expected(PaddingMode::kZeros)), kWrong);
  }
  EXPECT_TRUE(run(sample, PaddingMode::kZeros).equal(plain));
  EXPECT_TRUE(unet(sample, 501, conditioning).equal(plain));
}

TEST_F(TilingTest, MovqDecode) {
  const auto movq = open<Movq, MovqConfig>("movq");
  const at::Tensor latents = random_tensor(4, {1, 4, 8, 16});
  const at::Tensor plain = movq.decode(latents);
  const at::Tensor moved = latents.roll({4, 5}, {2, 3});
  const auto expected = [&](PaddingMode mode) {
    return movq.decode(latents, mode).roll({32, 40}, {2, 3});
  };
  EXPECT_LT(
      difference(movq.decode(moved, PaddingMode::kCircular), expected(PaddingMode::kCircular)),
      kRounding);
  EXPECT_GT(difference(movq.decode(moved), expected(PaddingMode::kZeros)), kWrong);
  EXPECT_TRUE(movq.decode(latents).equal(plain));
}

TEST_F(TilingTest, MovqEncode) {
  const auto movq = open<Movq, MovqConfig>("movq");
  const at::Tensor pixels = random_tensor(4, {1, 3, 64, 128}).clamp(-1, 1);
  const at::Tensor plain = movq.encode(pixels);
  const at::Tensor moved = pixels.roll({32, 40}, {2, 3});
  const auto expected = [&](PaddingMode mode) {
    return movq.encode(pixels, mode).roll({4, 5}, {2, 3});
  };
  EXPECT_LT(
      difference(movq.encode(moved, PaddingMode::kCircular), expected(PaddingMode::kCircular)),
      kRounding);
  EXPECT_GT(difference(movq.encode(moved), expected(PaddingMode::kZeros)), kWrong);
  EXPECT_TRUE(movq.encode(pixels).equal(plain));
}

TEST_F(TilingTest, JoinedConditioningsAreOneBatch) {
  const auto unet = open<UNet, UNetConfig>("unet");
  const at::Tensor image = random_tensor(1, {2, 16});
  const at::Tensor text = random_tensor(2, {2, 16});
  const at::Tensor hidden = random_tensor(3, {2, 77, 24});
  const auto row = [&](int64_t i) {
    return unet.condition(image.slice(0, i, i + 1), text.slice(0, i, i + 1),
                          hidden.slice(0, i, i + 1));
  };
  const UNet::Conditioning first = row(0);
  const UNet::Conditioning second = row(1);
  const at::Tensor sample = random_tensor(4, {2, 4, 8, 8});
  EXPECT_LT(difference(unet(sample, 1, UNet::join({&first, &second})),
                       unet(sample, 1, unet.condition(image, text, hidden))),
            kRounding);
}

}  // namespace
}  // namespace kandinsky::nn
