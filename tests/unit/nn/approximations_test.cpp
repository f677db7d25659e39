/// What may be left out or rounded for speed and memory, and how far off it is.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "io/model_dir.h"
#include "nn/kernels/int8_weight.h"
#include "nn/unet/unet.h"
#include "tensor/noise.h"
#include "unit/support.h"

namespace kandinsky::nn {
namespace {

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kFloat) - b.to(at::kFloat)).abs().max().item<double>();
}

class Int8WeightTest : public testing::Test {
 protected:
  const tensor::JobGuard guard_;
};

TEST_F(Int8WeightTest, IsWithinHalfAStepOfEachNumber) {
  const at::Tensor weight = random_tensor(1, {24, 32}) * at::arange(1, 25).unsqueeze(1);
  // The product with the unit matrix is the weight itself, transposed.
  const at::Tensor kept = Int8Weight(weight).linear(at::eye(32), {}).t();
  const at::Tensor half_a_step = weight.abs().amax(1, true) / 254;
  EXPECT_TRUE(((kept - weight).abs() <= half_a_step * 1.001).all().item<bool>());
}

TEST_F(Int8WeightTest, FewAndManyRowsGiveTheSame) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Int8Weight weight(random_tensor(1, {48, 64}).to(dtype));
    const at::Tensor bias = random_tensor(2, {48}).to(dtype);
    const at::Tensor rows = random_tensor(3, {40, 64}).to(dtype);
    const at::Tensor many = weight.linear(rows.view({2, 20, 64}), bias);
    ASSERT_EQ(many.sizes(), at::IntArrayRef({2, 20, 48}));
    const at::Tensor few = weight.linear(rows.slice(0, 0, 6).view({2, 3, 64}), bias);
    ASSERT_EQ(few.sizes(), at::IntArrayRef({2, 3, 48}));
    const double size = many.abs().max().item<double>();
    EXPECT_LT(largest_difference(few.view({6, 48}), many.view({40, 48}).slice(0, 0, 6)),
              size * (dtype == at::kFloat ? 1e-5 : 2e-2));
  }
}

TEST_F(Int8WeightTest, ARowOfZerosStaysZero) {
  at::Tensor weight = random_tensor(1, {4, 8});
  weight[2].zero_();
  const at::Tensor result = Int8Weight(weight).linear(random_tensor(2, {3, 8}), {});
  EXPECT_TRUE(result.isfinite().all().item<bool>());
  EXPECT_EQ(result.select(1, 2).abs().max().item<double>(), 0.0);
}

class DeepFeaturesTest : public testing::Test {
 protected:
  static UNet open() {
    const io::ComponentFiles files =
        io::ModelDir::open(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1").weights("unet");
    return {UNetConfig::from_json(io::JsonConfig::load(files.config_path())),
            tensor::Weights::open(files, {})};
  }
  const tensor::JobGuard guard_;
  const UNet unet_ = open();
  const UNet::Conditioning conditioning_ = unet_.condition(
      random_tensor(1, {2, 16}), random_tensor(2, {2, 16}), random_tensor(3, {2, 77, 24}));
  const at::Tensor sample_ = random_tensor(4, {2, 4, 8, 16});
};

TEST_F(DeepFeaturesTest, StandForTheInnerLevels) {
  const at::Tensor whole = unet_(sample_, 501, conditioning_);
  at::Tensor features;
  EXPECT_TRUE(unet_(sample_, 501, conditioning_, PaddingMode::kZeros, &features).equal(whole));
  ASSERT_TRUE(features.defined());
  const at::Tensor before = features.clone();
  EXPECT_TRUE(unet_(sample_, 501, conditioning_, PaddingMode::kZeros, &features).equal(whole));
  EXPECT_TRUE(features.equal(before));
}

TEST_F(DeepFeaturesTest, AreAllThatIsKept) {
  at::Tensor features;
  unet_(sample_, 501, conditioning_, PaddingMode::kZeros, &features);
  const at::Tensor later = random_tensor(5, {2, 4, 8, 16});
  const at::Tensor exact = unet_(later, 481, conditioning_);
  const at::Tensor cached = unet_(later, 481, conditioning_, PaddingMode::kZeros, &features);
  EXPECT_GT(largest_difference(cached, exact), 0.0);
  at::Tensor zeros = at::zeros_like(features);
  EXPECT_GT(
      largest_difference(cached, unet_(later, 481, conditioning_, PaddingMode::kZeros, &zeros)),
      0.0);
}

}  // namespace
}  // namespace kandinsky::nn
