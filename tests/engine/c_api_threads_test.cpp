/// Engines that are used from several threads at once. Also run under the thread sanitizer (make
/// sanitize).
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "engine/jobs.h"

namespace kandinsky {
namespace {

using test::Pixels;

Pixels generate(Engine& engine, const std::string& prompt) {
  return test::text_to_image(engine, test::job("text_to_image", {prompt}));
}

Engine open() { return Engine(test::model_options()); }

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

}  // namespace
}  // namespace kandinsky
