/// The whole engine on an accelerator, as far as one can be had without any: every mode, previews,
/// cancelling, running out of memory and unloading on the simulated device, beside the CPU.
#include "support/simulated_device.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <csignal>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/jobs.h"

namespace kandinsky::test {
namespace {

namespace device = simulated_device;

using testing::HasSubstr;

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
        (void)std::signal(SIGSEGV, SIG_DFL);  // the address sanitizer has a handler of its own
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

template <typename T>
double most_different(const std::vector<T>& one, const std::vector<T>& other) {
  EXPECT_EQ(one.size(), other.size());
  double most = 0.0;
  for (size_t i = 0; i < one.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(one[i]) - static_cast<double>(other[i])));
  return most;
}

double psnr(const Pixels& one, const Pixels& other) {
  double squares = 0.0;
  for (size_t i = 0; i < one.size(); ++i) squares += std::pow(one[i] - other[i], 2);
  return 10.0 * std::log10(255.0 * 255.0 * static_cast<double>(one.size()) / (squares + 1e-9));
}

Options options_on(const std::string& name, const std::string& precision = "fp32") {
  device::install();
  set_num_threads(1);  // many small operators: more threads would wait for each other
  Options options = model_options(name, precision);
  options.set("inpaint_dir", kModels + "/tiny-2-1-inpaint");
  return options;
}

class OnDeviceTest : public testing::Test {
 protected:
  using Job = std::function<Pixels(Engine&)>;

  ~OnDeviceTest() override { device::set_limit(0); }

  void expect_as_on_cpu(const Job& run) {
    const Pixels expected = run(cpu_);
    EXPECT_GT(*std::ranges::max_element(expected), 0);
    EXPECT_LE(most_different(run(there_), expected), 1.0);
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
  expect_as_on_cpu([](Engine& engine) {
    return text_to_image(engine, job("text_to_image", {"a red cat", "a red cat"}), 2 * kPixels);
  });
}

TEST_F(OnDeviceTest, EverySampler) {
  Options options = job("text_to_image");
  for (const std::string& sampler : sampler_names()) {
    SCOPED_TRACE(sampler);
    options.set("sampler", sampler);
    expect_as_on_cpu([&](Engine& engine) { return text_to_image(engine, options); });
  }
}

TEST_F(OnDeviceTest, EveryOption) {
  const auto with = [this](const std::function<void(Options&)>& set) {
    Options options =
        job("text_to_image", {"a (red:1.3) cat [in] a hat BREAK " + std::string(400, 'x')});
    set(options.set("num_inference_steps", 4));
    expect_as_on_cpu([&](Engine& engine) { return text_to_image(engine, options); });
  };
  with([](Options& options) { options.set("long_prompts", true); });
  with([](Options& options) { options.set("negative_image", "prior"); });
  with([](Options& options) { options.set("negative_prompts", Texts{"a dog"}); });
  with([](Options& options) { options.set("tiling", true); });
  with([](Options& options) { options.set("cache_interval", 2); });
  with([](Options& options) { options.set("forecast", true).set("forecast_warmup", 2); });
  with([](Options& options) { options.set("guidance_scale", 1); });
  with([](Options& options) { options.set("guidance_rescale", 0.7); });
  with([](Options& options) { options.set("guidance_end", 0.5); });
  with([](Options& options) {
    options.set("variation_seeds", Seeds{9}).set("variation_strength", 0.3);
    options.set("seed_resize_width", 128).set("seed_resize_height", 128);
  });
}

TEST_F(OnDeviceTest, ImageToImageAndInpaintBothWays) {
  Options options = job("image_to_image");
  const auto run = [&](Engine& engine) { return image_to_image(engine, options); };
  options.set("images", std::vector{scene()});
  expect_as_on_cpu(run);
  options.set("masks", std::vector{mask(24)});
  for (const char* method : {"auto", "blend"}) {
    for (const char* fill : {"original", "fill", "latent noise", "latent nothing"}) {
      SCOPED_TRACE(std::string(method) + " " + fill);
      options.set("mask_method", method).set("mask_fill", fill);
      expect_as_on_cpu(run);
    }
  }
}

TEST_F(OnDeviceTest, MixesOfTextsAndImages) {
  expect_as_on_cpu([](Engine& engine) {
    auto [text, negative] = engine.encode_prompts(job("encode_prompts"));
    const Embeds image = engine.encode_images({scene()});
    return generate(engine, Embeds::combine({&text, &image}, {0.4, 0.6}), negative);
  });
}

TEST_F(OnDeviceTest, EncodeAndDecode) {
  const Pixels pixels = scene().pixels;
  const Floats latents = encode(cpu_, pixels);
  EXPECT_LE(most_different(encode(there_, pixels), latents), 1e-4);
  EXPECT_LE(most_different(decode(there_, latents), decode(cpu_, latents)), 1.0);
}

TEST_F(OnDeviceTest, PreviewsAreLatentsThatTheCpuCanRead) {
  const auto previews_of = [](Engine& engine) {
    Floats previews;
    engine.set_progress([&](const kandinsky_progress& progress) {
      if (progress.latents != nullptr)
        previews.insert(previews.end(), progress.latents, progress.latents + kLatents);
      return KANDINSKY_CONTINUE;
    });
    text_to_image(engine);
    engine.set_progress(nullptr);
    return previews;
  };
  const Floats expected = previews_of(cpu_);
  EXPECT_EQ(expected.size(), 3 * kLatents);
  EXPECT_LE(most_different(previews_of(there_), expected), 1e-3);
}

TEST_F(OnDeviceTest, EachHalfOnItsOwnDevice) {
  const Pixels expected = text_to_image(cpu_);
  for (const auto& [decoder, prior] :
       {std::pair("simulated", "cpu"), std::pair("cpu", "simulated")}) {
    Engine engine(options_on(decoder).set("prior_device", prior));
    EXPECT_LE(most_different(text_to_image(engine), expected), 1.0) << decoder;
  }
}

TEST_F(OnDeviceTest, HalfPrecisionAndApproximations) {
  const Pixels expected = text_to_image(cpu_);
  Engine fp16(options_on("simulated", "fp16"));
  EXPECT_GT(psnr(text_to_image(fp16), expected), 30.0);
  // Each operator rounds for itself, to eight bits.
  Engine bf16(options_on("simulated", "bf16"));
  EXPECT_GT(psnr(text_to_image(bf16), expected), 25.0);
  Engine approximate(options_on("simulated").set("int8_weights", true));
  EXPECT_GT(psnr(text_to_image(approximate), expected), 25.0);
  for (const std::string& speedup : speedup_names()) {
    Engine plain(options_on("simulated").set("without", Texts{speedup}));
    EXPECT_LE(most_different(text_to_image(plain), expected), 1.0) << speedup;
  }
}

/// What a step copies; stated in tests/README.md.
TEST_F(OnDeviceTest, AStepCopiesLatentsInAndThePredictionOut) {
  const auto expect_step = [this](int64_t to_device, int64_t to_host, const char* sampler,
                                  double guidance_scale, size_t batch_size) {
    const Texts texts(batch_size, "a cat");
    const auto [embeds, negative] = there_.encode_prompts(job("encode_prompts", texts));
    const auto copies_of = [&](int steps) {
      Options options = job("denoise", texts);
      options.set("num_inference_steps", steps).set("sampler", sampler);
      options.set("guidance_scale", guidance_scale);
      device::reset_copies();
      denoise(there_, embeds, negative, options, batch_size * kLatents);
      return device::copies();
    };
    copies_of(1);  // loads
    const device::Copies few = copies_of(3);
    const device::Copies many = copies_of(8);
    EXPECT_EQ(many.to_device - few.to_device, 5 * to_device) << sampler << batch_size;
    EXPECT_EQ(many.to_host - few.to_host, 5 * to_host) << sampler << batch_size;
  };
  // Latents and the features of the timestep in; the prediction of both sides out.
  expect_step(2, 1, "DDIM", 4.0, 1);
  expect_step(4, 2, "DDIM", 4.0, 2);
  expect_step(2, 1, "DDIM", 1.0, 1);
  expect_step(2, 1, "Euler a", 4.0, 1);
}

TEST_F(OnDeviceTest, APriorStepCopiesAsFew) {
  const auto copies_of = [this](int steps) {
    device::reset_copies();
    there_.encode_prompts(job("encode_prompts").set("prior_num_inference_steps", steps));
    return device::copies();
  };
  copies_of(2);  // loads
  const device::Copies few = copies_of(3);
  const device::Copies many = copies_of(8);
  EXPECT_EQ(many.to_device - few.to_device, 5 * 2);
  EXPECT_EQ(many.to_host - few.to_host, 5 * 1);
}

TEST_F(OnDeviceTest, CancelledAtEveryCallItStaysUsable) {
  const Pixels expected = text_to_image(there_);
  const int64_t held = device::allocated_bytes();
  cancel_at_every_call(
      there_, [&] { text_to_image(there_); }, [&] { EXPECT_EQ(device::allocated_bytes(), held); });
  EXPECT_EQ(text_to_image(there_), expected);
}

TEST_F(OnDeviceTest, OutOfMemoryAnywhereIsSaidAndOvercome) {
  device::reset_peak();
  const Pixels expected = text_to_image(there_);
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
  const Pixels expected = text_to_image(there_);
  for (int cycle = 0; cycle < 5; ++cycle) {
    there_.unload();
    EXPECT_EQ(device::allocated_bytes(), 0);
    EXPECT_EQ(text_to_image(there_), expected);
  }
}

}  // namespace
}  // namespace kandinsky::test
