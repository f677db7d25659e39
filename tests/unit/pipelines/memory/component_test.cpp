#include "pipelines/memory/component.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "io/cache_folder.h"
#include "tensor/prepared_weights.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

/// A network that only knows its type.
struct FakeNetwork {
  explicit FakeNetwork(const tensor::Weights& weights)
      : dtype(weights.placement().dtype),
        splits(weights.placement().speedups.split_upsampling),
        winograd(weights.placement().speedups.winograd),
        small_tiles(weights.placement().small_tiles) {}
  at::ScalarType dtype;
  bool splits;
  bool winograd;
  bool small_tiles;
};

class ComponentTest : public testing::Test {
 protected:
  Component<FakeNetwork> component(at::ScalarType dtype) const {
    const io::ModelDir model = io::ModelDir::open(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1");
    return {model.weights("movq"), tensor::Placement{.dtype = dtype},
            WeightLayout{.split = {"upsamplers.0.conv.weight"}},
            [](const tensor::Weights& weights) { return FakeNetwork(weights); }};
  }

  /// A stage whose numbers fit only into fp32.
  at::Tensor run(Component<FakeNetwork>& component, bool fits_fp32 = true) {
    return component.run_finite(monitor_, [&](const FakeNetwork& network) {
      const bool fits = network.dtype == at::kFloat && fits_fp32;
      at::Tensor result = at::full({1}, fits ? 1.0 : std::nan(""));
      check_finite(result, "decode", component.placement().dtype);
      return result;
    });
  }

  CancelFlag cancel_;
  std::vector<std::string> said_;
  Monitor monitor_{cancel_, {}, [this](const std::string& message) { said_.push_back(message); }};
};

TEST_F(ComponentTest, AStageThatOverflowsRunsAgainInFp32AndSaysSoOnce) {
  Component<FakeNetwork> coarse = component(at::kBFloat16);
  EXPECT_EQ(run(coarse).item<double>(), 1.0);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_NE(said_[0].find("decode"), std::string::npos);
  EXPECT_NE(said_[0].find("fp32"), std::string::npos);
  EXPECT_EQ(run(coarse).item<double>(), 1.0);
  EXPECT_EQ(said_.size(), 1U);
}

TEST_F(ComponentTest, WhatIsNotFiniteInFp32IsAnError) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    Component<FakeNetwork> damaged = component(dtype);
    test::expect_error(ErrorCode::kUnsupported,
                       "in fp32: embeds that it was given are far too large",
                       [&] { run(damaged, false); });
  }
}

TEST_F(ComponentTest, ACancelEndsItAfterTheNextBlock) {
  Component<FakeNetwork> network = component(at::kFloat);
  int blocks = 0;
  test::expect_error(ErrorCode::kCancelled, "stopped", [&] {
    network.run_finite(monitor_, [&](const FakeNetwork&) {
      for (; blocks < 5; ++blocks) {
        if (blocks == 2) cancel_.request();
        tensor::end_block();
      }
      return blocks;
    });
  });
  EXPECT_EQ(blocks, 2);
}

TEST_F(ComponentTest, WhatASparingJobLeftOutIsThereAgainForTheNext) {
  Residency residency;
  Component<FakeNetwork> network = component(at::kFloat);
  network.join(residency, "movq");
  const ComponentMemory memory = residency.components().front();
  ASSERT_GT(memory.spread, memory.low_memory_spread);
  constexpr int64_t kWork = 100'000'000;
  const auto enter = [&](int64_t room) {
    residency.enter(
        [&] {
          return MemoryNeeds{.components = residency.components(),
                             .stages = {{"decoding", {network.index()}, kWork, 0}},
                             .base = 0};
        },
        memory.whole + room, monitor_);
  };
  enter(kWork);
  EXPECT_TRUE(network.get(monitor_).splits);
  EXPECT_EQ(network.held_bytes(memory), memory.whole);
  enter(kWork - 1);
  EXPECT_FALSE(network.get(monitor_).splits);
  EXPECT_EQ(network.held_bytes(memory), memory.whole - memory.spread + memory.low_memory_spread);
  enter(kWork);
  EXPECT_TRUE(network.get(monitor_).splits);
}

/// One that keeps a prepared weight.
struct KeepingNetwork {
  explicit KeepingNetwork(const tensor::Weights& weights) {
    weights.prepared("quant_conv.bias", {4}, "plain",
                     [&] { return std::vector{weights.take("quant_conv.bias", {4})}; });
  }
};

class PreparedComponentTest : public ComponentTest {
 protected:
  void SetUp() override {
    if (!tensor::can_prepare_weights()) GTEST_SKIP() << "this LibTorch cannot store packed tensors";
    network_.join(residency_, "the movq");
    residency_.resize(network_.index(), memory_);
  }

  /// Streamed with a budget below 1010.
  void load(int64_t budget) {
    residency_.enter(
        [&] {
          return MemoryNeeds{
              .components = residency_.components(),
              .stages = {{.name = "decoding", .components = {network_.index()}, .work = 10}},
              .base = 0};
        },
        budget, monitor_);
    network_.get(monitor_);
  }

  const ComponentMemory memory_{.name = "the movq", .whole = 1000, .streamed = 100};
  test::TempFolder folder_;
  Residency residency_;
  std::function<void()> after_building_ = [] {};
  Component<KeepingNetwork> network_{
      io::ModelDir::open(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1").weights("movq"),
      tensor::Placement{.prepared_weights = io::CacheFolder(folder_.path(), 1'000'000)},
      WeightLayout{}, [this](const tensor::Weights& weights) {
        KeepingNetwork network(weights);
        after_building_();
        return network;
      }};
};

TEST_F(PreparedComponentTest, KeepsThemUnlessTheyAreStreamed) {
  load(500);
  EXPECT_EQ(folder_.num_files(), 0U);
  load(1100);
  EXPECT_EQ(folder_.num_files(), 1U);
  EXPECT_NE(said_.back().find("prepared weights are kept in"), std::string::npos);
  EXPECT_EQ(network_.held_bytes(memory_), 1000);
  network_.unload();
  load(1100);
  EXPECT_EQ(network_.held_bytes(memory_), 0);  // mapped: the system can take it back
}

TEST_F(PreparedComponentTest, ALoadThatFailsLeavesNoneToTheNextOne) {
  after_building_ = [] { throw std::bad_alloc(); };
  EXPECT_THROW(load(1100), std::bad_alloc);
  after_building_ = [] {};
  load(500);
  EXPECT_EQ(folder_.num_files(), 0U);
}

TEST_F(PreparedComponentTest, ACancelWhileTheyAreWrittenLeavesTheNetworkLoaded) {
  load(500);
  ASSERT_EQ(network_.holding(), Holding::kStreamed);
  after_building_ = [this] { cancel_.request(); };
  test::expect_error(ErrorCode::kCancelled, "stopped", [&] { load(1100); });
  EXPECT_EQ(folder_.num_files(), 0U);
  EXPECT_EQ(network_.holding(), Holding::kWhole);
}

TEST_F(ComponentTest, HasSmallTilesWhereTheLargeOnesDoNotFit) {
  Residency residency;
  Component<FakeNetwork> network = component(at::kFloat);
  network.join(residency, "movq");
  const ComponentMemory memory{
      .name = "movq", .whole = 1000, .streamed = 1000, .spread = 500, .small_tiles_spread = 200};
  residency.resize(network.index(), memory);
  const auto enter = [&](int64_t budget) {
    residency.enter(
        [&] {
          return MemoryNeeds{.components = residency.components(),
                             .stages = {{.name = "decoding",
                                         .components = {network.index()},
                                         .work = 100,
                                         .least_work = 100 - 500,
                                         .small_tiles_work = 100 - 300}},
                             .base = 0};
        },
        budget, monitor_);
  };
  const auto expect = [&](bool winograd, bool small_tiles, int64_t held) {
    EXPECT_EQ(network.get(monitor_).winograd, winograd);
    EXPECT_EQ(network.get(monitor_).small_tiles, small_tiles);
    EXPECT_EQ(network.held_bytes(memory), held);
  };
  enter(1100);
  expect(true, false, 1000);
  enter(1099);
  expect(true, true, 700);
  enter(799);
  expect(false, false, 500);
  enter(1100);
  expect(true, false, 1000);
}

}  // namespace
}  // namespace kandinsky::pipelines
