/// A header-only C++ layer over kandinsky.h: RAII handles and exceptions instead of statuses.
#ifndef KANDINSKY_HPP_
#define KANDINSKY_HPP_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
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

  /// options: of "engine".
  explicit Engine(const Options& options) {
    kandinsky_engine* engine = nullptr;
    check(kandinsky_engine_open(options.get(), &engine));
    engine_.reset(engine);
    callbacks_->engine = engine;
  }

  /// The strings in the result are valid as long as this object.
  kandinsky_engine_info info() const {
    kandinsky_engine_info info;
    kandinsky_engine_info_init(&info);
    check(kandinsky_engine_get_info(engine_.get(), &info));
    return info;
  }
  /// The text in the result is valid until the next plan.
  kandinsky_memory_plan plan_memory(int32_t width, int32_t height, int32_t batch_size = 1) {
    kandinsky_memory_plan plan;
    kandinsky_memory_plan_init(&plan);
    check(kandinsky_engine_plan_memory(engine_.get(), width, height, batch_size, &plan));
    return plan;
  }
  /// "FILE" or "FILE:WEIGHT" each; replaces the previous ones.
  void set_loras(const std::vector<std::string>& loras) {
    std::vector<const char*> names;
    for (const std::string& lora : loras) names.push_back(lora.c_str());
    check(kandinsky_engine_set_loras(engine_.get(), names.data(), names.size()));
  }
  /// options: of "text_to_image" or "image_to_image". See kandinsky_engine_check.
  void check_options(const Options& options) {
    run([&] { return kandinsky_engine_check(engine_.get(), options.get()); });
  }
  void unload() { check(kandinsky_engine_unload(engine_.get())); }
  void cancel() { kandinsky_engine_cancel(engine_.get()); }

  /// An exception thrown by a callback ends the job and leaves the call that ran it.
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

  /// {embeds, negative_embeds}. options: of "encode_prompts". The negative embeds, which guidance
  /// alone uses, can be left out with all the work for them; they are empty then.
  std::pair<Embeds, Embeds> encode_prompts(const Options& options, bool with_negative = true) {
    kandinsky_embeds* embeds = nullptr;
    kandinsky_embeds* negative_embeds = nullptr;
    std::pair<Embeds, Embeds> both;
    run([&] {
      const kandinsky_status status = kandinsky_encode_prompts(
          engine_.get(), options.get(), &embeds, with_negative ? &negative_embeds : nullptr);
      both = {Embeds(embeds), Embeds(negative_embeds)};
      return status;
    });
    return both;
  }

  /// Only the negative embeds, without the work for the others.
  Embeds encode_negative_prompts(const Options& options) {
    kandinsky_embeds* negative_embeds = nullptr;
    Embeds result;
    run([&] {
      const kandinsky_status status =
          kandinsky_encode_prompts(engine_.get(), options.get(), nullptr, &negative_embeds);
      result = Embeds(negative_embeds);
      return status;
    });
    return result;
  }

  /// One row per image.
  Embeds encode_images(const std::vector<Image>& images) {
    const std::vector<kandinsky_image> raw = raw::images(images);
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

  // Results are written to the caller's buffers, whose size in elements must match exactly: see
  // kandinsky.h. options: of the operation with the function's name.

  void denoise(const Embeds& embeds, const Embeds& negative_embeds, const Options& options,
               float* latents, size_t size) {
    run([&] {
      return kandinsky_denoise(engine_.get(), embeds.get(), negative_embeds.get(), options.get(),
                               latents, size);
    });
  }
  void decode(const Options& options, const float* latents, size_t latents_size, uint8_t* images,
              size_t images_size) {
    run([&] {
      return kandinsky_decode(engine_.get(), options.get(), latents, latents_size, images,
                              images_size);
    });
  }
  void encode(const Options& options, const uint8_t* images, size_t images_size, float* latents,
              size_t latents_size) {
    run([&] {
      return kandinsky_encode(engine_.get(), options.get(), images, images_size, latents,
                              latents_size);
    });
  }
  void text_to_image(const Options& options, uint8_t* images, size_t size) {
    run([&] { return kandinsky_text_to_image(engine_.get(), options.get(), images, size); });
  }
  void image_to_image(const Options& options, uint8_t* images, size_t size) {
    run([&] { return kandinsky_image_to_image(engine_.get(), options.get(), images, size); });
  }
  void generate(const Embeds& embeds, const Embeds& negative_embeds, const Options& options,
                uint8_t* images, size_t size) {
    run([&] {
      return kandinsky_generate(engine_.get(), embeds.get(), negative_embeds.get(), options.get(),
                                images, size);
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

  struct Finish {
    void operator()(Callbacks* callbacks) const { callbacks->running = false; }
  };
  template <typename Job>
  void run(const Job& job) {
    // The library refuses a second caller. `thrown` belongs to the running job.
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

/// Converts weights to folders in diffusers' layout; see kandinsky_convert. An exception thrown by
/// a callback stops it and leaves the call.
inline void convert(const std::vector<std::string>& inputs, const std::string& output,
                    const std::string& precision, const Engine::Progress& progress,
                    const Engine::Message& message) {
  struct Callbacks {
    const Engine::Progress& progress;
    const Engine::Message& message;
    std::exception_ptr thrown;
  } callbacks{progress, message, nullptr};
  std::vector<const char*> names;
  for (const std::string& input : inputs) names.push_back(input.c_str());
  const kandinsky_status status = kandinsky_convert(
      names.data(), names.size(), output.c_str(), precision.c_str(),
      [](const kandinsky_progress* step, void* user_data) {
        auto* to = static_cast<Callbacks*>(user_data);
        try {
          if (!to->thrown) return to->progress(*step);
        } catch (...) {
          to->thrown = std::current_exception();
        }
        return KANDINSKY_CANCEL;
      },
      [](const char* text, void* user_data) {
        auto* to = static_cast<Callbacks*>(user_data);
        try {
          to->message(text);
        } catch (...) {
          to->thrown = std::current_exception();
        }
      },
      &callbacks);
  if (callbacks.thrown) std::rethrow_exception(callbacks.thrown);
  check(status);
}

}  // namespace kandinsky

#endif  // KANDINSKY_HPP_
