/// Convolutions' weights are packed anew for other maps and threads, and kept for as few as needed.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "nn/kernels/onednn.h"
#include "tensor/device.h"
#include "tensor/noise.h"
#include "tensor/operator.h"
#include "tensor/packed_tensor.h"
#include "tensor/run_context.h"
#include "tensor/team.h"

namespace kandinsky::nn::onednn {
namespace {

constexpr ConvGeometry kGeometry{.stride = 1, .row_padding = 1, .column_padding = 1};

class PackedKernelTest : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    const tensor::Operator supports_bf16{"mkldnn::_is_mkldnn_bf16_supported", "", 0};
    if (GetParam() == at::kBFloat16 &&
        !(supports_bf16.exists() && supports_bf16.value({}).toBool()))
      GTEST_SKIP() << "LibTorch does not pack bf16 on this CPU";
    ASSERT_TRUE(can_pack({.dtype = GetParam()}));
  }

  static at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
    return tensor::NoiseSource({seed}).draw(0, shape).to(GetParam());
  }

  static at::Tensor map(int64_t batch, int64_t channels, int64_t height, int64_t width) {
    return random_tensor(1, {batch, channels, height, width})
        .contiguous(at::MemoryFormat::ChannelsLast);
  }

  static PackedKernel kernel_of(const at::Tensor& weight) {
    return {PackedKernel::prepare(weight, kGeometry), kGeometry};
  }

  static bool is_same(const at::Tensor& one, const at::Tensor& other) {
    return one.unsafeGetTensorImpl() == other.unsafeGetTensorImpl();
  }

 private:
  tensor::JobGuard guard_;
};

TEST_P(PackedKernelTest, GivesTheSameForMapsOfAllSizes) {
  const at::Tensor weight = 0.05 * random_tensor(2, {64, 48, 3, 3});
  const PackedKernel kernel = kernel_of(weight);
  const double tolerance = GetParam() == at::kFloat ? 1e-5 : 1e-2;
  for (const int64_t side : {64, 8, 16, 3, 64}) {
    for (const int64_t batch : {2, 1}) {
      const at::Tensor x = map(batch, 48, side, side);
      const at::Tensor actual = convolution(x, kernel.for_maps(x), {}, kGeometry).to(at::kDouble);
      const at::Tensor expected =
          at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), {}, {1, 1}, {1, 1});
      EXPECT_LT((actual - expected).abs().max().item<double>(),
                tolerance * expected.abs().max().item<double>())
          << side << " " << batch;
    }
  }
}

/// Conditions that come in pairs and singly take turns.
TEST_P(PackedKernelTest, KeepsTheLayoutsOfTwoUses) {
  const PackedKernel kernel = kernel_of(random_tensor(2, {64, 48, 3, 3}));
  const auto packed = [&](int64_t batch) { return kernel.for_maps(map(batch, 48, 8, 8)); };
  const at::Tensor single = packed(1);
  const at::Tensor pair = packed(2);
  for (int step = 0; step < 2; ++step) {
    EXPECT_TRUE(is_same(packed(1), single));
    EXPECT_TRUE(is_same(packed(2), pair));
  }
}

TEST_P(PackedKernelTest, HoldsTwoLayoutsAtMostAndOneInLowMemoryMode) {
  const PackedKernel kernel = kernel_of(random_tensor(2, {384, 384, 3, 3}));
  std::map<const void*, c10::weak_intrusive_ptr<c10::TensorImpl>> seen;
  const auto pack_for = [&](int64_t batch, int threads) {
    const tensor::TeamGuard team(threads);
    const at::Tensor packed = kernel.for_maps(map(batch, 384, 32, 32));
    seen.insert_or_assign(packed.unsafeGetTensorImpl(),
                          c10::weak_intrusive_ptr<c10::TensorImpl>(packed.getIntrusivePtr()));
  };
  const auto held = [&] {
    return std::ranges::count_if(seen, [](const auto& one) { return !one.second.expired(); });
  };
  for (const int threads : {1, 2, 4}) {
    for (const int64_t batch : {1, 2, 4}) {
      pack_for(batch, threads);
      EXPECT_LE(held(), 2) << batch << " " << threads;
    }
  }
  const tensor::RunScope scope([](tensor::RunContext& context) { context.low_memory = true; });
  for (const int threads : {1, 2, 4}) {
    pack_for(3, threads);
    EXPECT_EQ(held(), 1) << threads;
  }
}

/// The weights of one of the widest layers take a hundred megabytes.
TEST_P(PackedKernelTest, KeepsEqualLayoutsOnce) {
  const PackedKernel kernel = kernel_of(random_tensor(2, {64, 48, 3, 3}));
  for (const int64_t width : {8, 16, 64}) {
    const at::Tensor single = kernel.for_maps(map(1, 48, 8, width));
    const at::Tensor pair = kernel.for_maps(map(2, 48, 8, width));
    EXPECT_EQ(is_same(single, pair), tensor::have_same_order(single, pair)) << width;
  }
}

/// A process would otherwise keep weights for every size of its images.
TEST_P(PackedKernelTest, FreesTheLayoutsOfMapsOfAnotherWidth) {
  const PackedKernel kernel = kernel_of(random_tensor(2, {64, 48, 3, 3}));
  const at::Tensor narrow = kernel.for_maps(map(2, 48, 8, 8));
  const at::Tensor wide = kernel.for_maps(map(2, 48, 8, 64));
  EXPECT_EQ(narrow.use_count(), is_same(narrow, wide) ? wide.use_count() : 1);
}

/// oneDNN plans for the threads that it gets: this layer is one of those that show it, with AVX2
/// and with AMX.
TEST_P(PackedKernelTest, HasTheLayoutOfEachNumberOfThreads) {
  const at::Tensor x = map(1, 384, 32, 32);
  const at::Tensor weight = random_tensor(2, {384, 384, 3, 3});
  const PackedKernel kernel = kernel_of(weight);
  for (const int threads : {1, 2, 1}) {
    const tensor::TeamGuard team(threads);
    const at::Tensor wanted = PackedKernel::packs_at_once(GetParam())
                                  ? pack_convolution(weight, kGeometry)
                                  : pack_convolution(weight, kGeometry, x.sizes());
    EXPECT_TRUE(tensor::have_same_order(kernel.for_maps(x), wanted)) << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PackedKernelTest, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& test) { return std::string(at::toString(test.param)); });

}  // namespace
}  // namespace kandinsky::nn::onednn
