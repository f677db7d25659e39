#include "tensor/device.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "tensor/cpu.h"
#include "tensor/rates.h"

namespace kandinsky::tensor {
namespace {

ErrorCode code_of(std::string_view device, std::string_view precision) {
  try {
    choose_placement(device, precision);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << device << " " << precision << " was accepted";
  return ErrorCode::kInternal;
}

TEST(DeviceTest, TakesWhatWasAskedFor) {
  EXPECT_EQ(choose_placement("cpu", "fp32").placement.dtype, at::kFloat);
  EXPECT_EQ(choose_placement("cpu", "bf16").placement.dtype, at::kBFloat16);
  EXPECT_TRUE(choose_placement("cpu", "auto").placement.device.is_cpu());
  EXPECT_FALSE(choose_placement("cpu", "auto").reason.empty());
}

TEST(DeviceTest, TakesBf16OnACpuWhereBothMeasuredRatesGainByIt) {
  const auto dtype = [](double convolution, double matmul) {
    const ChosenPlacement chosen =
        choose_cpu_precision(at::kCPU, {.convolution = convolution, .matmul = matmul});
    EXPECT_NE(chosen.reason.find("measured"), std::string::npos);
    return chosen.placement.dtype;
  };
  EXPECT_EQ(dtype(2.5, 2.0), at::kBFloat16);
  EXPECT_EQ(dtype(2.5, 0.5), at::kFloat);
  EXPECT_EQ(dtype(0.1, 2.0), at::kFloat);
  EXPECT_EQ(dtype(0.4, 0.4), at::kFloat);
  EXPECT_EQ(dtype(1.2, 0.9), at::kBFloat16) << "measured beside other programs";
}

TEST(DeviceTest, DoesNotMeasureWhereTheCpuHasNoBf16) {
  const ChosenPlacement chosen = choose_placement("cpu", "auto");
  const bool is_measured = chosen.reason.find("measured") != std::string::npos;
  EXPECT_EQ(is_measured, bf16_support() == Bf16Support::kSome) << chosen.reason;
  EXPECT_NE(chosen.reason.find("bf16"), std::string::npos);
  if (!is_measured) {
    EXPECT_EQ(chosen.placement.dtype, at::kFloat);
  }
}

TEST(DeviceTest, ASmallLayerShowsEmulationOnlyIfALayerOfFullSizeWouldTakeLong) {
  // Measured: with AMX, with vectors, and without instructions in LibTorch 2.13.
  EXPECT_FALSE(shows_emulation({.fp32 = 32e-6, .bf16 = 57e-6}));
  EXPECT_FALSE(shows_emulation({.fp32 = 36e-6, .bf16 = 95e-6}));
  EXPECT_FALSE(shows_emulation({.fp32 = 37e-6, .bf16 = 190e-6}));
  EXPECT_FALSE(shows_emulation({.fp32 = 9e-3, .bf16 = 6e-3})) << "a slow machine";
  EXPECT_TRUE(shows_emulation({.fp32 = 40e-6, .bf16 = 16e-3})) << "a second at full size";
}

TEST(DeviceTest, TimesThatSpeakAgainstBf16AreTakenAgain) {
  using namespace std::chrono_literals;
  const LayerTimes usual{.fp32 = 32e-6, .bf16 = 57e-6};
  const LayerTimes disturbed{.fp32 = 30e-6, .bf16 = 16e-3};
  int count = 0;
  const auto times_after = [&](int disturbed_calls, std::chrono::milliseconds limit) {
    count = 0;
    return confirmed_times([&] { return ++count <= disturbed_calls ? disturbed : usual; },
                           shows_emulation, limit);
  };
  EXPECT_EQ(times_after(0, 1h).bf16, usual.bf16);
  EXPECT_EQ(count, 1);
  const LayerTimes times = times_after(2, 1h);
  EXPECT_EQ(times.bf16, usual.bf16);
  EXPECT_EQ(times.fp32, disturbed.fp32) << "the shortest of each";
  EXPECT_EQ(count, 3);
  EXPECT_EQ(times_after(1000, 200ms).bf16, disturbed.bf16);
  EXPECT_GT(count, 1);
  EXPECT_LT(count, 12) << "within the limit, with pauses";
  EXPECT_EQ(times_after(1000, 0ms).bf16, disturbed.bf16);
  EXPECT_EQ(count, 1);
}

/// Tiles are three times as fast as fp32 or more, and other load hides that for moments only.
TEST(DeviceTest, ChoosesBf16WhereTheCpuHasTiles) {
  if (!has_bf16_tiles()) GTEST_SKIP() << "this CPU has no AMX";
  const ChosenPlacement chosen = choose_placement("cpu", "auto");
  EXPECT_EQ(chosen.placement.dtype, at::kBFloat16) << chosen.reason;
}

TEST(DeviceTest, KnowsTheCpusInstructions) {
  std::ifstream cpus("/proc/cpuinfo");
  const std::string text{std::istreambuf_iterator<char>(cpus), {}};
  const bool has_vectors = text.find("avx512_bf16") != std::string::npos;
  const bool has_tiles = text.find("amx_bf16") != std::string::npos;
#ifdef __x86_64__
  EXPECT_EQ(bf16_support() == Bf16Support::kSome, has_vectors || has_tiles);
#endif
  EXPECT_EQ(has_bf16_tiles(), has_tiles);
}

TEST(DeviceTest, MeasuresOnceInAProcess) {
  const Bf16Gain gain = measure_bf16_gain();
  EXPECT_GT(gain.convolution, 0.0);
  EXPECT_GT(gain.matmul, 0.0);
  EXPECT_EQ(measure_bf16_gain().convolution, gain.convolution);
}

TEST(DeviceTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(code_of("toaster", "fp32"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of("cpu", "fp8"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of("cpu", "fp16"), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of("cuda:99", "fp32"), ErrorCode::kUnsupported);
  for (const char* odd :
       {"cpu:0", "cpu:5", "CPU", "CPU ", "cpu ", " cpu", "cuda:", "cuda:-1", "cuda:+1", "cuda:01",
        "cuda:1x", "cuda:0 ", "cuda:4294967296", "Cuda", "cuda:0:0", "meta", "mps", "xpu", "cpu\n"})
    EXPECT_EQ(code_of(odd, "fp32"), ErrorCode::kInvalidArgument) << odd;
}

TEST(DeviceTest, GuardTurnsGradientsOffForItsScopeOnly) {
  const bool before = at::GradMode::is_enabled();
  {
    const JobGuard guard;
    EXPECT_FALSE(at::GradMode::is_enabled());
    EXPECT_TRUE(at::InferenceMode::is_enabled());
  }
  EXPECT_EQ(at::GradMode::is_enabled(), before);
  EXPECT_FALSE(at::InferenceMode::is_enabled());
}

TEST(DeviceTest, GuardKeepsAutocastOut) {
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::ScalarType dtype;
  {
    const JobGuard guard;
    dtype = at::linear(at::ones({2, 2}), at::ones({2, 2})).scalar_type();
  }
  const at::ScalarType outside = at::linear(at::ones({2, 2}), at::ones({2, 2})).scalar_type();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_EQ(dtype, at::kFloat);
  EXPECT_EQ(outside, at::kBFloat16);
}

}  // namespace
}  // namespace kandinsky::tensor
