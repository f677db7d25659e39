/// Engines that are used from several threads at once. Also run under the thread sanitizer (make
/// sanitize).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/span.h"
#include "engine/jobs.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"
#include "unit/support.h"

namespace kandinsky {
namespace {

using test::Pixels;

Pixels generate(Engine& engine, const std::string& prompt) {
  return test::text_to_image(engine, test::job("text_to_image", {prompt}));
}

Engine open() { return Engine(test::model_options()); }

/// A LoRA of rank 1 for a weight of the tiny model.
std::string write_lora(const test::TempFolder& folder) {
  const io::TensorFile unet =
      io::open_weight_file(test::kModel + "/unet/diffusion_pytorch_model.safetensors");
  constexpr std::string_view kWeight = ".to_q.weight";
  const auto weight = std::ranges::find_if(unet.tensors(), [&](const io::StoredTensor& stored) {
    return stored.name.ends_with(kWeight);
  });
  const std::string module(weight->name.substr(0, weight->name.rfind('.')));
  const std::string down = module + ".lora_A.weight";
  const std::string up = module + ".lora_B.weight";
  const std::array<int64_t, 2> down_shape{1, weight->shape[1]};
  const std::array<int64_t, 2> up_shape{weight->shape[0], 1};
  const std::vector<float> ones(static_cast<size_t>(std::max(down_shape[1], up_shape[0])), 1.0F);
  const auto first = [&](int64_t count) {
    return std::as_bytes(Span<const float>(ones).first(static_cast<size_t>(count)));
  };
  const std::array<io::TensorView, 2> tensors{{
      {.name = down, .dtype = io::DType::kF32, .shape = down_shape, .bytes = first(down_shape[1])},
      {.name = up, .dtype = io::DType::kF32, .shape = up_shape, .bytes = first(up_shape[0])},
  }};
  io::write_safetensors(folder.path("lora.safetensors"), tensors);
  return folder.path("lora.safetensors");
}

TEST(CApiThreads, EnginesWorkAtTheSameTime) {
  const std::vector<std::string> prompts = {"a cat", "a dog", "a red circle"};
  std::vector<Pixels> expected;
  Engine alone = open();
  for (const std::string& prompt : prompts) expected.push_back(generate(alone, prompt));

  std::vector<Pixels> images(prompts.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < prompts.size(); ++i) {
    threads.emplace_back([&, i] {
      Engine engine = open();
      images[i] = generate(engine, prompts[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(images[i], expected[i]) << prompts[i];
}

TEST(CApiThreads, OneEngineTakesCallsFromAll) {
  Engine engine = open();
  const Pixels expected = generate(engine, "a cat");
  std::atomic<int> finished{0};
  std::atomic<int> refused{0};
  std::atomic<int> wrong{0};
  std::atomic<bool> done{false};
  const auto worker = [&] {
    for (int i = 0; i < 10; ++i) {
      try {
        if (generate(engine, "a cat") != expected) ++wrong;
        ++finished;
      } catch (const StatusError& error) {
        // The message is this thread's own, whatever the others do meanwhile.
        const bool is_busy = error.status() == KANDINSKY_BUSY;
        if (!is_busy && error.status() != KANDINSKY_CANCELLED) ++wrong;
        if (std::string(error.what()).empty()) ++wrong;
        ++refused;
      }
    }
  };
  std::thread first(worker);
  std::thread second(worker);
  std::thread third([&] {
    while (!done) {
      engine.cancel();
      if (engine.info().latent_factor != 8) ++wrong;
      if (sampler_names().empty()) ++wrong;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  first.join();
  second.join();
  done = true;
  third.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(finished + refused, 20);
  // A cancel that came after the last job waits a second for another thread's next one.
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_EQ(generate(engine, "a cat"), expected);
}

TEST(CApiThreads, WhatIsChangedIsReadWhileItIsSetAgain) {
  const test::TempFolder folder;
  const std::string lora = write_lora(folder);
  Engine engine = open();
  engine.set_loras({lora});
  const char* const first = engine.info().changes;
  const std::string expected = first;
  ASSERT_TRUE(expected.starts_with("loras: lora.safetensors ["));
  std::atomic<int> wrong{0};
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const std::string changes = engine.info().changes;
      if (!changes.empty() && changes != expected) ++wrong;
    }
  });
  for (int i = 0; i < 20; ++i) {
    engine.set_loras({});
    EXPECT_EQ(first, expected);
    engine.set_loras({lora});
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace kandinsky
