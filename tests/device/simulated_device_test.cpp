/// The whole engine on an accelerator, as far as one can be had without any: every mode, previews,
/// cancelling, running out of memory and unloading on the simulated device, beside the CPU.
#include "support/simulated_device.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kandinsky.hpp"

namespace {

namespace device = kandinsky::test::simulated_device;

using kandinsky::DenoiseOptions;
using kandinsky::Embeds;
using kandinsky::Engine;
using kandinsky::EngineOptions;
using kandinsky::Picture;
using kandinsky::PromptOptions;
using kandinsky::SourceOptions;
using kandinsky::StatusError;
using testing::HasSubstr;

const std::string kModels = KANDINSKY_TINY_MODELS_DIR;
constexpr int32_t kSide = 64;

class SimulatedDeviceTest : public testing::Test {
 protected:
  SimulatedDeviceTest() { device::install(); }
  const at::Device device_{c10::DeviceType::PrivateUse1, 0};
};

TEST_F(SimulatedDeviceTest, ComputesWhatTheCpuDoes) {
  const at::Tensor x = at::arange(24, at::kFloat).view({2, 3, 4});
  const at::Tensor there = x.to(device_);
  EXPECT_TRUE(at::equal((there * 2 + 1).sum(1).cpu(), (x * 2 + 1).sum(1)));
  EXPECT_TRUE(at::equal(there.transpose(1, 2).slice(1, 1, 3).contiguous().cpu(),
                        x.transpose(1, 2).slice(1, 1, 3)));
  EXPECT_EQ(there.max().item<float>(), 23.0F);
}

TEST_F(SimulatedDeviceTest, MemoryIsOutOfReachOfTheCpu) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        device::install();
        const at::Tensor x = at::ones({4}, at::TensorOptions().device(device_));
        std::exit(*static_cast<volatile float*>(x.data_ptr()) == 1.0F ? 0 : 1);
      },
      testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(SimulatedDeviceTest, TakesNoTensorOfAnotherDeviceAndNoFloat64) {
  const at::Tensor there = at::ones({4}, at::TensorOptions().device(device_));
  EXPECT_THROW((void)(there + at::ones({4})), c10::Error);
  EXPECT_THROW((void)at::cat({there, at::ones({4})}), c10::Error);
  EXPECT_THROW((void)there.to(at::kDouble), c10::Error);
  EXPECT_THROW((void)at::ones({4}, at::kDouble).to(device_), c10::Error);
  EXPECT_NO_THROW((void)(there + at::scalar_tensor(1.0)));
}

TEST_F(SimulatedDeviceTest, CountsCopiesAndMemory) {
  device::reset_copies();
  const int64_t before = device::allocated_bytes();
  {
    const at::Tensor there = at::ones({1000}).to(device_);
    const at::Tensor sum = (there * there).sum();
    EXPECT_EQ(device::copies().to_device, 1);
    EXPECT_EQ(device::copies().to_host, 0);
    (void)sum.item<float>();
    (void)there.to(at::kCPU);
    EXPECT_EQ(device::copies().to_host, 2);
    EXPECT_GE(device::allocated_bytes() - before, 4000);
    device::set_limit(device::allocated_bytes() + 2000);
    EXPECT_THROW((void)(there * 2), c10::OutOfMemoryError);
    device::set_limit(0);
    EXPECT_NO_THROW((void)(there * 2));
  }
  EXPECT_EQ(device::allocated_bytes(), before);
}

PromptOptions prompts(const std::vector<std::string>& texts) {
  PromptOptions options;
  options.prompts = texts;
  for (size_t i = 0; i < texts.size(); ++i) options.seeds.push_back(i + 1);
  options.prior_num_inference_steps = 2;
  return options;
}

DenoiseOptions denoise(size_t batch_size, int steps = 3) {
  DenoiseOptions options;
  options.width = options.height = kSide;
  options.num_inference_steps = steps;
  for (size_t i = 0; i < batch_size; ++i) options.seeds.push_back(i + 1);
  return options;
}

Picture scene() {
  Picture picture{{}, kSide, kSide, 3};
  for (int32_t y = 0; y < kSide; ++y) {
    for (int32_t x = 0; x < kSide; ++x) {
      for (int32_t c = 0; c < 3; ++c)
        picture.pixels.push_back(static_cast<uint8_t>(3 * x + 2 * y * (c + 1) + 40 * c));
    }
  }
  return picture;
}

SourceOptions source(bool has_mask) {
  SourceOptions options;
  options.pictures = {scene()};
  if (!has_mask) return options;
  Picture mask{{}, kSide, kSide, 1};
  for (int32_t i = 0; i < kSide * kSide; ++i) mask.pixels.push_back(i % kSide < 24 ? 0 : 255);
  options.masks = {mask};
  return options;
}

template <typename T>
double most_different(const std::vector<T>& one, const std::vector<T>& other) {
  EXPECT_EQ(one.size(), other.size());
  double most = 0.0;
  for (size_t i = 0; i < one.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(one[i]) - static_cast<double>(other[i])));
  return most;
}

double psnr(const std::vector<uint8_t>& one, const std::vector<uint8_t>& other) {
  double squares = 0.0;
  for (size_t i = 0; i < one.size(); ++i) squares += std::pow(one[i] - other[i], 2);
  return 10.0 * std::log10(255.0 * 255.0 * static_cast<double>(one.size()) / (squares + 1e-9));
}

kandinsky_status status_of(const std::function<void()>& body, std::string* message = nullptr) {
  try {
    body();
  } catch (const StatusError& error) {
    if (message != nullptr) *message = error.what();
    return error.status();
  }
  return KANDINSKY_OK;
}

EngineOptions options_on(const std::string& name, const std::string& precision = "fp32") {
  device::install();
  kandinsky_set_num_threads(1);  // many small operators: more threads would wait for each other
  return {.model_dir = kModels + "/tiny-2-1",
          .inpaint_dir = kModels + "/tiny-2-1-inpaint",
          .device = name,
          .precision = precision};
}

class OnDeviceTest : public testing::Test {
 protected:
  using Job = std::function<std::vector<uint8_t>(Engine&)>;

  ~OnDeviceTest() override { device::set_limit(0); }

  void expect_as_on_cpu(const Job& job) {
    const std::vector<uint8_t> expected = job(cpu_);
    EXPECT_GT(*std::ranges::max_element(expected), 0);
    EXPECT_LE(most_different(job(there_), expected), 1.0);
  }

  static std::vector<uint8_t> text_to_image(Engine& engine, int steps = 3, size_t batch_size = 1) {
    return engine.text_to_image(prompts(std::vector<std::string>(batch_size, "a red cat")),
                                denoise(batch_size, steps));
  }

  Engine cpu_{options_on("cpu")};
  Engine there_{options_on("simulated")};
};

TEST_F(OnDeviceTest, InfoNamesTheDevice) {
  EXPECT_STREQ(there_.info().device, "simulated:0");
  EXPECT_STREQ(Engine(options_on("simulated", "auto")).info().precision, "fp16");
  std::string message;
  EXPECT_EQ(status_of([] { Engine(options_on("simulated:3")); }, &message), KANDINSKY_UNSUPPORTED);
  EXPECT_THAT(message, HasSubstr("there are 1 simulated devices"));
}

TEST_F(OnDeviceTest, TextToImage) {
  expect_as_on_cpu([](Engine& engine) { return text_to_image(engine, 3, 2); });
}

TEST_F(OnDeviceTest, EverySampler) {
  for (const std::string& sampler : kandinsky::sampler_names()) {
    SCOPED_TRACE(sampler);
    expect_as_on_cpu([&sampler](Engine& engine) {
      DenoiseOptions options = denoise(1);
      options.sampler = sampler;
      return engine.text_to_image(prompts({"a cat"}), options);
    });
  }
}

TEST_F(OnDeviceTest, EveryOption) {
  const auto with = [this](const std::function<void(PromptOptions&, DenoiseOptions&)>& set) {
    expect_as_on_cpu([&set](Engine& engine) {
      PromptOptions texts = prompts({"a (red:1.3) cat [in] a hat BREAK " + std::string(400, 'x')});
      DenoiseOptions options = denoise(1, 4);
      set(texts, options);
      return engine.text_to_image(texts, options);
    });
  };
  with([](PromptOptions& texts, DenoiseOptions&) { texts.long_prompts = true; });
  with([](PromptOptions& texts, DenoiseOptions&) { texts.negative_image = "prior"; });
  with([](PromptOptions& texts, DenoiseOptions&) { texts.negative_prompts = {{"a dog"}}; });
  with([](PromptOptions&, DenoiseOptions& options) { options.tiling = true; });
  with([](PromptOptions&, DenoiseOptions& options) { options.cache_interval = 2; });
  with([](PromptOptions&, DenoiseOptions& options) { options.guidance_scale = 1.0; });
  with([](PromptOptions&, DenoiseOptions& options) { options.guidance_rescale = 0.7; });
  with([](PromptOptions&, DenoiseOptions& options) { options.guidance_end = 0.5; });
  with([](PromptOptions&, DenoiseOptions& options) {
    options.variation_seeds = {9};
    options.variation_strength = 0.3;
    options.seed_resize_width = options.seed_resize_height = 128;
  });
}

TEST_F(OnDeviceTest, ImageToImageAndInpaintBothWays) {
  for (const bool has_mask : {false, true}) {
    for (const char* method : {"auto", "blend"}) {
      for (const char* fill : {"original", "fill", "latent noise", "latent nothing"}) {
        if (!has_mask && (fill != std::string("original") || method != std::string("auto")))
          continue;
        SCOPED_TRACE(std::string(method) + " " + fill);
        expect_as_on_cpu([&](Engine& engine) {
          DenoiseOptions options = denoise(1);
          options.mask_method = method;
          SourceOptions from = source(has_mask);
          from.mask_fill = fill;
          return engine.image_to_image(prompts({"a cat"}), options, from);
        });
      }
    }
  }
}

TEST_F(OnDeviceTest, MixesOfTextsAndImages) {
  expect_as_on_cpu([](Engine& engine) {
    auto [text, negative] = engine.encode_prompts(prompts({"a cat"}));
    const Embeds image = engine.encode_images({scene()});
    const Embeds mix = Embeds::combine({&text, &image}, {0.4, 0.6});
    return engine.paint(mix, negative, denoise(1));
  });
}

TEST_F(OnDeviceTest, EncodeAndDecode) {
  const std::vector<uint8_t> pixels = scene().pixels;
  const std::vector<float> latents = cpu_.encode(pixels, 1, kSide, kSide);
  EXPECT_LE(most_different(there_.encode(pixels, 1, kSide, kSide), latents), 1e-4);
  EXPECT_LE(most_different(there_.decode(latents, 1, kSide, kSide),
                           cpu_.decode(latents, 1, kSide, kSide)),
            1.0);
}

TEST_F(OnDeviceTest, PreviewsAreLatentsThatTheCpuCanRead) {
  const auto previews_of = [](Engine& engine) {
    std::vector<float> previews;
    engine.set_progress([&](const kandinsky_progress& progress) {
      if (progress.latents != nullptr)
        previews.insert(previews.end(), progress.latents, progress.latents + 4 * 8 * 8);
      return KANDINSKY_CONTINUE;
    });
    text_to_image(engine);
    engine.set_progress(nullptr);
    return previews;
  };
  const std::vector<float> expected = previews_of(cpu_);
  EXPECT_EQ(expected.size(), 3U * 4 * 8 * 8);
  EXPECT_LE(most_different(previews_of(there_), expected), 1e-3);
}

TEST_F(OnDeviceTest, EachHalfOnItsOwnDevice) {
  const std::vector<uint8_t> expected = text_to_image(cpu_);
  for (const auto& [decoder, prior] :
       {std::pair("simulated", "cpu"), std::pair("cpu", "simulated")}) {
    EngineOptions options = options_on(decoder);
    options.prior_device = prior;
    Engine engine(options);
    EXPECT_LE(most_different(text_to_image(engine), expected), 1.0) << decoder;
  }
}

TEST_F(OnDeviceTest, HalfPrecisionAndApproximations) {
  const std::vector<uint8_t> expected = text_to_image(cpu_);
  Engine fp16(options_on("simulated", "fp16"));
  EXPECT_GT(psnr(text_to_image(fp16), expected), 30.0);
  // Each operator rounds for itself, to eight bits.
  Engine bf16(options_on("simulated", "bf16"));
  EXPECT_GT(psnr(text_to_image(bf16), expected), 25.0);
  EngineOptions options = options_on("simulated");
  options.int8_weights = true;
  Engine approximate(options);
  EXPECT_GT(psnr(text_to_image(approximate), expected), 25.0);
  for (const std::string& speedup : kandinsky::speedup_names()) {
    options = options_on("simulated");
    options.without = speedup;
    Engine plain(options);
    EXPECT_LE(most_different(text_to_image(plain), expected), 1.0) << speedup;
  }
}

/// What a step copies; stated in tests/README.md.
TEST_F(OnDeviceTest, AStepCopiesLatentsInAndThePredictionOut) {
  const auto copies_of = [this](int steps, size_t batch_size, const DenoiseOptions& like) {
    const auto [embeds, negative] =
        there_.encode_prompts(prompts(std::vector<std::string>(batch_size, "a cat")));
    DenoiseOptions options = like;
    options.num_inference_steps = steps;
    options.seeds = denoise(batch_size).seeds;
    device::reset_copies();
    there_.denoise(embeds, negative, options);
    return device::copies();
  };
  const auto expect_step = [&](int64_t to_device, int64_t to_host, size_t batch_size,
                               const DenoiseOptions& like) {
    copies_of(1, batch_size, like);  // loads
    const device::Copies few = copies_of(3, batch_size, like);
    const device::Copies many = copies_of(8, batch_size, like);
    EXPECT_EQ(many.to_device - few.to_device, 5 * to_device) << like.sampler << batch_size;
    EXPECT_EQ(many.to_host - few.to_host, 5 * to_host) << like.sampler << batch_size;
  };
  // Latents and the features of the timestep in; the prediction of both sides out.
  expect_step(2, 1, 1, denoise(1));
  expect_step(4, 2, 2, denoise(2));
  DenoiseOptions unguided = denoise(1);
  unguided.guidance_scale = 1.0;
  expect_step(2, 1, 1, unguided);
  DenoiseOptions ancestral = denoise(1);
  ancestral.sampler = "Euler a";
  expect_step(2, 1, 1, ancestral);
}

TEST_F(OnDeviceTest, APriorStepCopiesAsFew) {
  const auto copies_of = [this](int steps) {
    PromptOptions options = prompts({"a cat"});
    options.prior_num_inference_steps = steps;
    device::reset_copies();
    there_.encode_prompts(options);
    return device::copies();
  };
  copies_of(2);  // loads
  const device::Copies few = copies_of(3);
  const device::Copies many = copies_of(8);
  EXPECT_EQ(many.to_device - few.to_device, 5 * 2);
  EXPECT_EQ(many.to_host - few.to_host, 5 * 1);
}

TEST_F(OnDeviceTest, CancelledAtEveryCallItStaysUsable) {
  const std::vector<uint8_t> expected = text_to_image(there_);
  const int64_t held = device::allocated_bytes();
  int all = 0;
  there_.set_progress([&](const kandinsky_progress&) {
    ++all;
    return KANDINSKY_CONTINUE;
  });
  text_to_image(there_);
  ASSERT_GT(all, 5);
  for (int stop_at = 1; stop_at <= all; ++stop_at) {
    int call = 0;
    there_.set_progress([&](const kandinsky_progress&) {
      return ++call == stop_at ? KANDINSKY_CANCEL : KANDINSKY_CONTINUE;
    });
    EXPECT_EQ(status_of([&] { text_to_image(there_); }), KANDINSKY_CANCELLED) << stop_at;
    EXPECT_EQ(device::allocated_bytes(), held) << stop_at;
  }
  there_.set_progress(nullptr);
  EXPECT_EQ(text_to_image(there_), expected);
}

TEST_F(OnDeviceTest, OutOfMemoryAnywhereIsSaidAndOvercome) {
  device::reset_peak();
  const std::vector<uint8_t> expected = text_to_image(there_);
  const int64_t loaded = device::allocated_bytes();
  const int64_t peak = device::peak_bytes();
  there_.unload();
  EXPECT_LT(device::allocated_bytes(), loaded / 100);
  ASSERT_GT(peak, loaded);
  // While loading, and in a step.
  int refused = 0;
  for (int64_t limit = peak / 16; limit < peak; limit += peak / 16) {
    device::set_limit(limit);
    std::string message;
    EXPECT_EQ(status_of([&] { text_to_image(there_); }, &message), KANDINSKY_OUT_OF_MEMORY)
        << limit << ": " << message;
    EXPECT_THAT(message, HasSubstr("memory"));
    ++refused;
    if (limit % 2 == 0) there_.unload();
  }
  EXPECT_GT(refused, 10);
  device::set_limit(0);
  EXPECT_EQ(text_to_image(there_), expected);
}

TEST_F(OnDeviceTest, UnloadedItHoldsNothing) {
  const std::vector<uint8_t> expected = text_to_image(there_);
  for (int cycle = 0; cycle < 5; ++cycle) {
    there_.unload();
    EXPECT_EQ(device::allocated_bytes(), 0);
    EXPECT_EQ(text_to_image(there_), expected);
  }
}

}  // namespace
