/// A header-only C++ layer over kandinsky.h: handles that free themselves, statuses that throw.
#ifndef KANDINSKY_HPP_
#define KANDINSKY_HPP_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kandinsky_embeds.hpp"
#include "kandinsky_library.hpp"
#include "kandinsky_options.hpp"

namespace kandinsky {

/// Loaded models and the state of one job. Throws StatusError. One job at a time; cancel() from any
/// thread.
class Engine {
 public:
  using Progress = std::function<kandinsky_action(const kandinsky_progress&)>;
  using Message = std::function<void(const char*)>;

  explicit Engine(const EngineOptions& from) {
    kandinsky_engine_options options;
    kandinsky_engine_options_init(&options);
    options.model_dir = from.model_dir.c_str();
    options.prior_dir = from.prior_dir.empty() ? nullptr : from.prior_dir.c_str();
    options.device = from.device.c_str();
    options.precision = from.precision.c_str();
    options.inpaint_dir = from.inpaint_dir ? from.inpaint_dir->c_str() : nullptr;
    options.max_memory = from.max_memory;
    options.without = from.without.c_str();
    options.prior_device = from.prior_device.empty() ? nullptr : from.prior_device.c_str();
    options.int8_weights = from.int8_weights ? 1 : 0;
    kandinsky_engine* engine = nullptr;
    check(kandinsky_engine_open(&options, &engine));
    engine_.reset(engine);
    callbacks_->engine = engine;
  }

  /// The strings in the result live as long as this object.
  kandinsky_engine_info info() const {
    kandinsky_engine_info info;
    kandinsky_engine_info_init(&info);
    check(kandinsky_engine_get_info(engine_.get(), &info));
    return info;
  }
  /// The text in the result lives until the next plan is asked for.
  kandinsky_memory_plan plan_memory(int32_t width, int32_t height, int32_t batch_size = 1) {
    kandinsky_memory_plan plan;
    kandinsky_memory_plan_init(&plan);
    check(kandinsky_engine_plan_memory(engine_.get(), width, height, batch_size, &plan));
    return plan;
  }
  void unload() { check(kandinsky_engine_unload(engine_.get())); }
  void cancel() { kandinsky_engine_cancel(engine_.get()); }

  /// An exception thrown by a callback ends the job and comes out of the call that ran it.
  void set_progress(Progress progress) {
    const auto callback = progress ? &Engine::on_progress : nullptr;
    check(kandinsky_engine_set_progress(engine_.get(), callback, callbacks_.get()));
    callbacks_->progress = std::move(progress);
  }
  void set_message(Message message) {
    const auto callback = message ? &Engine::on_message : nullptr;
    check(kandinsky_engine_set_message(engine_.get(), callback, callbacks_.get()));
    callbacks_->message = std::move(message);
  }

  /// {embeds, negative_embeds}
  std::pair<Embeds, Embeds> encode_prompts(const PromptOptions& options) {
    const raw::Prompts prompts(options);
    kandinsky_embeds* embeds = nullptr;
    kandinsky_embeds* negative_embeds = nullptr;
    std::pair<Embeds, Embeds> both;
    run([&] {
      const kandinsky_status status =
          kandinsky_encode_prompts(engine_.get(), prompts.get(), &embeds, &negative_embeds);
      both = {Embeds(embeds), Embeds(negative_embeds)};
      return status;
    });
    return both;
  }

  /// The negative embeds alone; what only the others need is left out.
  Embeds encode_negative_prompts(const PromptOptions& options) {
    const raw::Prompts prompts(options);
    kandinsky_embeds* negative_embeds = nullptr;
    Embeds result;
    run([&] {
      const kandinsky_status status =
          kandinsky_encode_prompts(engine_.get(), prompts.get(), nullptr, &negative_embeds);
      result = Embeds(negative_embeds);
      return status;
    });
    return result;
  }

  /// One row per picture.
  Embeds encode_images(const std::vector<Picture>& pictures) {
    const std::vector<kandinsky_picture> raw = raw::pictures(pictures);
    kandinsky_embeds* embeds = nullptr;
    Embeds result;
    run([&] {
      const kandinsky_status status =
          kandinsky_encode_images(engine_.get(), raw.data(), raw.size(), &embeds);
      result = Embeds(embeds);
      return status;
    });
    return result;
  }

  /// Latents [seeds.size(), latent_channels, latent_height, latent_width]
  std::vector<float> denoise(const Embeds& embeds, const Embeds& negative_embeds,
                             const DenoiseOptions& options) {
    const kandinsky_denoise_options raw = raw_denoise(options);
    std::vector<float> latents(latent_count(options.seeds.size(), options.width, options.height));
    run([&] {
      return kandinsky_denoise(engine_.get(), embeds.get(), negative_embeds.get(), &raw,
                               latents.data(), latents.size());
    });
    return latents;
  }

  /// Pictures [batch_size, height, width, 3]
  std::vector<uint8_t> decode(const std::vector<float>& latents, int32_t batch_size, int32_t width,
                              int32_t height, bool tiling = false) {
    const kandinsky_decode_options options = raw::decode(batch_size, width, height, tiling);
    std::vector<uint8_t> pictures(picture_count(batch_size, width, height));
    run([&] {
      return kandinsky_decode(engine_.get(), &options, latents.data(), latents.size(),
                              pictures.data(), pictures.size());
    });
    return pictures;
  }

  /// Latents of pictures [batch_size, height, width, 3]
  std::vector<float> encode(const std::vector<uint8_t>& pictures, int32_t batch_size, int32_t width,
                            int32_t height, bool tiling = false) {
    const kandinsky_decode_options options = raw::decode(batch_size, width, height, tiling);
    std::vector<float> latents(latent_count(batch_size, width, height));
    run([&] {
      return kandinsky_encode(engine_.get(), &options, pictures.data(), pictures.size(),
                              latents.data(), latents.size());
    });
    return latents;
  }

  /// Pictures [seeds.size(), height, width, 3], as are those of all tasks.
  std::vector<uint8_t> text_to_image(const PromptOptions& prompts, const DenoiseOptions& denoise) {
    const raw::Prompts raw_prompts(prompts);
    return task(denoise, [&](const kandinsky_denoise_options& raw, std::vector<uint8_t>& pictures) {
      return kandinsky_text_to_image(engine_.get(), raw_prompts.get(), &raw, pictures.data(),
                                     pictures.size());
    });
  }

  std::vector<uint8_t> image_to_image(const PromptOptions& prompts, const DenoiseOptions& denoise,
                                      const SourceOptions& source) {
    const raw::Prompts raw_prompts(prompts);
    const raw::Source raw_source(source);
    return task(denoise, [&](const kandinsky_denoise_options& raw, std::vector<uint8_t>& pictures) {
      return kandinsky_image_to_image(engine_.get(), raw_prompts.get(), &raw, raw_source.get(),
                                      pictures.data(), pictures.size());
    });
  }

  /// `source` may be null: text to image.
  std::vector<uint8_t> paint(const Embeds& embeds, const Embeds& negative_embeds,
                             const DenoiseOptions& denoise, const SourceOptions* source = nullptr) {
    std::optional<raw::Source> raw_source;
    if (source != nullptr) raw_source.emplace(*source);
    return task(denoise, [&](const kandinsky_denoise_options& raw, std::vector<uint8_t>& pictures) {
      return kandinsky_paint(engine_.get(), embeds.get(), negative_embeds.get(), &raw,
                             raw_source ? raw_source->get() : nullptr, pictures.data(),
                             pictures.size());
    });
  }

  /// {latent_width, latent_height}
  std::pair<int32_t, int32_t> latent_size(int32_t width, int32_t height) const {
    int32_t latent_width = 0;
    int32_t latent_height = 0;
    check(kandinsky_latent_size(engine_.get(), width, height, &latent_width, &latent_height));
    return {latent_width, latent_height};
  }

 private:
  struct Free {
    void operator()(kandinsky_engine* engine) const { kandinsky_engine_free(engine); }
  };
  struct Callbacks {
    Progress progress;
    Message message;
    kandinsky_engine* engine = nullptr;
    std::exception_ptr thrown;
    std::atomic<bool> running = false;
  };

  kandinsky_denoise_options raw_denoise(const DenoiseOptions& from) const {
    const auto channels = static_cast<size_t>(info().latent_channels);
    return raw::denoise(from, latent_count(1, from.width, from.height) / channels, channels);
  }
  template <typename Job>
  std::vector<uint8_t> task(const DenoiseOptions& denoise, const Job& job) {
    const kandinsky_denoise_options raw = raw_denoise(denoise);
    std::vector<uint8_t> pictures(
        picture_count(denoise.seeds.size(), denoise.width, denoise.height));
    run([&] { return job(raw, pictures); });
    return pictures;
  }
  size_t latent_count(size_t batch_size, int32_t width, int32_t height) const {
    const auto [latent_width, latent_height] = latent_size(width, height);
    return batch_size * static_cast<size_t>(info().latent_channels) *
           static_cast<size_t>(latent_width) * static_cast<size_t>(latent_height);
  }
  size_t picture_count(size_t batch_size, int32_t width, int32_t height) const {
    latent_size(width, height);  // rejects impossible sizes
    return batch_size * static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
  }

  struct Finish {
    void operator()(Callbacks* callbacks) const { callbacks->running = false; }
  };
  template <typename Job>
  void run(const Job& job) {
    // A second caller is refused by the library, which knows why. `thrown` belongs to the job that
    // runs.
    const bool is_second = callbacks_->running.exchange(true);
    const std::unique_ptr<Callbacks, Finish> finish(is_second ? nullptr : callbacks_.get());
    const kandinsky_status status = job();
    const bool is_refused =
        is_second && (status == KANDINSKY_BUSY || status == KANDINSKY_INCOMPATIBLE);
    if (!is_refused && callbacks_->thrown)
      std::rethrow_exception(std::exchange(callbacks_->thrown, nullptr));
    check(status);
  }
  static kandinsky_action on_progress(const kandinsky_progress* progress, void* user_data) {
    auto* callbacks = static_cast<Callbacks*>(user_data);
    if (callbacks->thrown) return KANDINSKY_CANCEL;
    try {
      return callbacks->progress(*progress);
    } catch (...) {
      callbacks->thrown = std::current_exception();
      return KANDINSKY_CANCEL;
    }
  }
  static void on_message(const char* message, void* user_data) {
    auto* callbacks = static_cast<Callbacks*>(user_data);
    if (callbacks->thrown) return;
    try {
      callbacks->message(message);
    } catch (...) {
      callbacks->thrown = std::current_exception();
      kandinsky_engine_cancel(callbacks->engine);
    }
  }

  std::unique_ptr<Callbacks> callbacks_ = std::make_unique<Callbacks>();
  std::unique_ptr<kandinsky_engine, Free> engine_;
};

}  // namespace kandinsky

#endif  // KANDINSKY_HPP_
