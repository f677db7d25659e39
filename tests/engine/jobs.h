/// Small jobs through kandinsky.hpp: their options, and results as vectors.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kandinsky.hpp"

namespace kandinsky::test {

using Texts = std::vector<std::string>;
using Seeds = std::vector<uint64_t>;
using Pixels = std::vector<uint8_t>;
using Floats = std::vector<float>;

inline const std::string kModels = KANDINSKY_TINY_MODELS_DIR;
inline const std::string kModel = kModels + "/tiny-2-1";
inline constexpr int32_t kSide = 64;
inline constexpr size_t kPixels = size_t{kSide} * kSide * 3;
inline constexpr size_t kLatents = size_t{4} * 8 * 8;

/// Options of "engine".
inline Options model_options(const std::string& device = "cpu",
                             const std::string& precision = "fp32") {
  Options options("engine");
  options.set("model_dir", kModel).set("device", device).set("precision", precision);
  return options;
}

/// Asks for a small image of each text, with seeds from `seed` on, as far as the operation has such
/// options.
inline void make_small(Options& options, const std::string& operation,
                       const Texts& texts = {"a cat"}, uint64_t seed = 1) {
  Seeds seeds;
  for (size_t i = 0; i < texts.size(); ++i) seeds.push_back(seed + i);
  for (const kandinsky_option_info& info : option_infos(operation)) {
    const std::string name = info.name;
    if (name == "prompts") options.set(name, texts);
    if (name == "seeds") options.set(name, seeds);
    if (name == "width" || name == "height") options.set(name, kSide);
    if (name == "num_inference_steps" || name == "prior_num_inference_steps") options.set(name, 3);
  }
}

/// Options of a small job.
inline Options job(const std::string& operation, const Texts& texts = {"a cat"},
                   uint64_t seed = 1) {
  Options options(operation);
  make_small(options, operation, texts, seed);
  return options;
}

inline Pixels text_to_image(Engine& engine, const Options& options = job("text_to_image"),
                            size_t size = kPixels) {
  Pixels images(size);
  engine.text_to_image(options, images.data(), size);
  return images;
}

inline Pixels image_to_image(Engine& engine, const Options& options, size_t size = kPixels) {
  Pixels images(size);
  engine.image_to_image(options, images.data(), size);
  return images;
}

inline Pixels generate(Engine& engine, const Embeds& embeds, const Embeds& negative_embeds,
                       const Options& options = job("generate"), size_t size = kPixels) {
  Pixels images(size);
  engine.generate(embeds, negative_embeds, options, images.data(), size);
  return images;
}

inline Floats denoise(Engine& engine, const Embeds& embeds, const Embeds& negative_embeds,
                      const Options& options = job("denoise"), size_t size = kLatents) {
  Floats latents(size);
  engine.denoise(embeds, negative_embeds, options, latents.data(), size);
  return latents;
}

inline Pixels decode(Engine& engine, const Floats& latents, const Options& options = job("decode"),
                     size_t size = kPixels) {
  Pixels images(size);
  engine.decode(options, latents.data(), latents.size(), images.data(), size);
  return images;
}

inline Floats encode(Engine& engine, const Pixels& images, const Options& options = job("encode"),
                     size_t size = kLatents) {
  Floats latents(size);
  engine.encode(options, images.data(), images.size(), latents.data(), size);
  return latents;
}

/// An image whose colours change from place to place.
inline Image scene(int32_t width = kSide, int32_t height = kSide, int32_t channels = 3) {
  Image image{{}, width, height, channels};
  for (int32_t y = 0; y < height; ++y) {
    for (int32_t x = 0; x < width; ++x) {
      for (int32_t c = 0; c < channels; ++c)
        image.pixels.push_back(static_cast<uint8_t>(3 * x + 2 * y * (c + 1) + 40 * c));
    }
  }
  return image;
}

/// White from column `from` on.
inline Image mask(int32_t from, int32_t width = kSide, int32_t height = kSide) {
  Image image{{}, width, height, 1};
  for (int32_t i = 0; i < width * height; ++i) image.pixels.push_back(i % width < from ? 0 : 255);
  return image;
}

/// The status, and the message, with which body fails; KANDINSKY_OK if it does not.
inline kandinsky_status status_of(const std::function<void()>& body,
                                  std::string* message = nullptr) {
  try {
    body();
  } catch (const StatusError& error) {
    if (message != nullptr) *message = error.what();
    return error.status();
  }
  return KANDINSKY_OK;
}

/// Runs the job once to count its calls of the progress callback, then once for each of them, which
/// cancels it there. after_each: what else is to hold then.
inline void cancel_at_every_call(
    Engine& engine, const std::function<void()>& job,
    const std::function<void()>& after_each = [] {}) {
  int all = 0;
  engine.set_progress([&](const kandinsky_progress&) {
    ++all;
    return KANDINSKY_CONTINUE;
  });
  job();
  ASSERT_GT(all, 8);
  for (int stop_at = 1; stop_at <= all; ++stop_at) {
    SCOPED_TRACE(stop_at);
    int call = 0;
    engine.set_progress([&](const kandinsky_progress&) {
      return ++call == stop_at ? KANDINSKY_CANCEL : KANDINSKY_CONTINUE;
    });
    EXPECT_EQ(status_of(job), KANDINSKY_CANCELLED);
    EXPECT_EQ(call, stop_at);
    after_each();
  }
  engine.set_progress(nullptr);
}

}  // namespace kandinsky::test
