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
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kandinsky.h"

namespace kandinsky {

/// A failed call: the status and the library's message.
class StatusError : public std::runtime_error {
 public:
  StatusError(kandinsky_status status, const char* message)
      : std::runtime_error(message), status_(status) {}
  kandinsky_status status() const noexcept { return status_; }

 private:
  kandinsky_status status_;
};

/// Throws StatusError for anything but KANDINSKY_OK.
inline void check(kandinsky_status status) {
  if (status != KANDINSKY_OK) throw StatusError(status, kandinsky_last_error());
}

inline std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (size_t i = 0; i < kandinsky_sampler_count(); ++i)
    names.emplace_back(kandinsky_sampler_name(i));
  return names;
}

inline std::vector<std::string> scheduler_names() {
  std::vector<std::string> names;
  for (size_t i = 0; i < kandinsky_scheduler_count(); ++i)
    names.emplace_back(kandinsky_scheduler_name(i));
  return names;
}

inline std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (size_t i = 0; i < kandinsky_family_count(); ++i)
    names.emplace_back(kandinsky_family_name(i));
  return names;
}

/// A picture that owns its pixels [height, width, channels]: grey, RGB or RGBA.
struct Picture {
  std::vector<uint8_t> pixels;
  int32_t width = 0;
  int32_t height = 0;
  int32_t channels = 3;

  /// Reads a file. See kandinsky_picture_load.
  static Picture load(const std::string& path) {
    kandinsky_picture* loaded = nullptr;
    check(kandinsky_picture_load(path.c_str(), &loaded));
    const std::unique_ptr<kandinsky_picture, Free> owner(loaded);
    const size_t size = static_cast<size_t>(loaded->width) * static_cast<size_t>(loaded->height) *
                        static_cast<size_t>(loaded->channels);
    return {
        {loaded->pixels, loaded->pixels + size}, loaded->width, loaded->height, loaded->channels};
  }
  /// Borrows the pixels.
  kandinsky_picture raw() const { return {pixels.data(), width, height, channels}; }

 private:
  struct Free {
    void operator()(kandinsky_picture* picture) const { kandinsky_picture_free(picture); }
  };
};

/// What a model folder holds.
class Folder {
 public:
  explicit Folder(const std::string& dir) {
    kandinsky_folder* folder = nullptr;
    check(kandinsky_folder_open(dir.c_str(), &folder));
    folder_.reset(folder);
  }
  std::string pipeline() const { return kandinsky_folder_pipeline(folder_.get()); }
  std::string family() const { return kandinsky_folder_family(folder_.get()); }
  int32_t native_size() const { return kandinsky_folder_native_size(folder_.get()); }
  /// The strings in the result live as long as this object.
  std::vector<kandinsky_component_info> components() const {
    std::vector<kandinsky_component_info> all(kandinsky_folder_component_count(folder_.get()));
    for (size_t i = 0; i < all.size(); ++i) {
      kandinsky_component_info_init(&all[i]);
      check(kandinsky_folder_component(folder_.get(), i, &all[i]));
    }
    return all;
  }

 private:
  struct Free {
    void operator()(kandinsky_folder* folder) const { kandinsky_folder_free(folder); }
  };
  std::unique_ptr<kandinsky_folder, Free> folder_;
};

/// One side's guidance for a batch of pictures. Empty when default-constructed.
class Embeds {
 public:
  Embeds() = default;
  explicit Embeds(kandinsky_embeds* embeds) : embeds_(embeds) {}
  static Embeds load(const std::string& path) {
    kandinsky_embeds* embeds = nullptr;
    check(kandinsky_embeds_load(path.c_str(), &embeds));
    return Embeds(embeds);
  }
  /// `text` may be null: the first item's text. See kandinsky_embeds_combine.
  static Embeds combine(const std::vector<const Embeds*>& items, const std::vector<double>& weights,
                        const Embeds* text = nullptr, const std::string& method = "sum") {
    if (items.size() != weights.size())
      throw StatusError(KANDINSKY_INVALID_ARGUMENT, "combine: as many weights as items are needed");
    const std::vector<const kandinsky_embeds*> raw = raw_items(items);
    kandinsky_embeds* embeds = nullptr;
    check(kandinsky_embeds_combine(raw.data(), weights.data(), raw.size(),
                                   text == nullptr ? nullptr : text->get(), method.c_str(),
                                   &embeds));
    return Embeds(embeds);
  }
  static Embeds concat(const std::vector<const Embeds*>& items) {
    const std::vector<const kandinsky_embeds*> raw = raw_items(items);
    kandinsky_embeds* embeds = nullptr;
    check(kandinsky_embeds_concat(raw.data(), raw.size(), &embeds));
    return Embeds(embeds);
  }
  Embeds select(const std::vector<int32_t>& rows) const {
    kandinsky_embeds* embeds = nullptr;
    check(kandinsky_embeds_select(get(), rows.data(), rows.size(), &embeds));
    return Embeds(embeds);
  }
  void save(const std::string& path) const { check(kandinsky_embeds_save(get(), path.c_str())); }
  int32_t batch_size() const { return kandinsky_embeds_batch_size(get()); }
  /// Borrowed data and its shape; see kandinsky_embeds_tensor.
  const float* tensor(const char* name, int64_t shape[3]) const {
    const float* data = nullptr;
    check(kandinsky_embeds_tensor(get(), name, &data, shape));
    return data;
  }
  const kandinsky_embeds* get() const { return embeds_.get(); }
  explicit operator bool() const { return embeds_ != nullptr; }

 private:
  static std::vector<const kandinsky_embeds*> raw_items(const std::vector<const Embeds*>& items) {
    std::vector<const kandinsky_embeds*> raw;
    for (const Embeds* item : items) raw.push_back(item->get());
    return raw;
  }
  struct Free {
    void operator()(kandinsky_embeds* embeds) const { kandinsky_embeds_free(embeds); }
  };
  std::unique_ptr<kandinsky_embeds, Free> embeds_;
};

/// Texts to encode. See kandinsky_prompt_options.
struct PromptOptions {
  std::vector<std::string> prompts;
  bool has_negative_prompts = false;
  std::vector<std::string> negative_prompts;
  bool has_negative_prior_prompts = false;
  std::vector<std::string> negative_prior_prompts;
  std::vector<uint64_t> seeds;
  int32_t prior_num_inference_steps = 25;
  double prior_guidance_scale = 4.0;
  std::string negative_image = "zero";
  bool parse_weights = true;
  bool long_prompts = false;
};

/// Settings of the sampler's loop. See kandinsky_denoise_options.
struct DenoiseOptions {
  int32_t width = 512;
  int32_t height = 512;
  std::vector<uint64_t> seeds;
  std::string sampler = "DDIM";
  std::string scheduler = "Automatic";
  int32_t num_inference_steps = 50;
  double guidance_scale = 4.0;
  double guidance_rescale = 0.0;
  double guidance_start = 0.0;
  double guidance_end = 1.0;
  bool tiling = false;
  std::vector<float> noise;               ///< empty: the seeds' own
  std::vector<uint64_t> variation_seeds;  ///< empty: none
  double variation_strength = 0.0;
  int32_t seed_resize_width = 0;
  int32_t seed_resize_height = 0;
  std::vector<float> init_latents;  ///< empty: text to image
  double strength = 0.75;
  std::string init_noise = "matched";
  std::vector<float> mask;  ///< empty: none
  std::string mask_method = "auto";
  std::vector<kandinsky_condition> conditions;  ///< empty: row i guides picture i
  std::vector<kandinsky_condition> negative_conditions;
};

/// Pictures to start from. See kandinsky_source_options.
struct SourceOptions {
  std::vector<Picture> pictures;
  std::vector<Picture> masks;
  std::string resize = "stretch";
  int32_t mask_blur = 4;
  bool invert_mask = false;
  std::string mask_fill = "original";
  bool erode_mask = true;
  bool composite = true;
};

/// Loaded models and the state of one job. Throws StatusError. One job at a time; cancel() from any
/// thread.
class Engine {
 public:
  using Progress = std::function<kandinsky_action(const kandinsky_progress&)>;
  using Message = std::function<void(const char*)>;

  explicit Engine(const std::string& model_dir, const std::string& prior_dir = {},
                  const std::string& device = "auto", const std::string& precision = "auto",
                  const std::optional<std::string>& inpaint_dir = {}) {
    kandinsky_engine_options options;
    kandinsky_engine_options_init(&options);
    options.model_dir = model_dir.c_str();
    options.prior_dir = prior_dir.empty() ? nullptr : prior_dir.c_str();
    options.device = device.c_str();
    options.precision = precision.c_str();
    options.inpaint_dir = inpaint_dir ? inpaint_dir->c_str() : nullptr;
    kandinsky_engine* engine = nullptr;
    check(kandinsky_engine_open(&options, &engine));
    engine_.reset(engine);
  }

  kandinsky_engine_info info() const {
    kandinsky_engine_info info;
    kandinsky_engine_info_init(&info);
    check(kandinsky_engine_get_info(engine_.get(), &info));
    return info;
  }
  void unload() { check(kandinsky_engine_unload(engine_.get())); }
  void cancel() { kandinsky_engine_cancel(engine_.get()); }

  /// An exception thrown by a callback comes out of the call that ran the job; one thrown by
  /// `progress` ends it at once, one thrown by `message` at the next step.
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
    const RawPrompts raw(options);
    kandinsky_embeds* embeds = nullptr;
    kandinsky_embeds* negative_embeds = nullptr;
    std::pair<Embeds, Embeds> both;
    run([&] {
      const kandinsky_status status =
          kandinsky_encode_prompts(engine_.get(), &raw.options, &embeds, &negative_embeds);
      both = {Embeds(embeds), Embeds(negative_embeds)};
      return status;
    });
    return both;
  }

  /// One row per picture.
  Embeds encode_images(const std::vector<Picture>& pictures) {
    const std::vector<kandinsky_picture> raw = raw_pictures(pictures);
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
    const kandinsky_decode_options options = raw_decode(batch_size, width, height, tiling);
    std::vector<uint8_t> pictures(picture_count(batch_size, width, height));
    run([&] {
      return kandinsky_decode(engine_.get(), &options, latents.data(), latents.size(),
                              pictures.data(), pictures.size());
    });
    return pictures;
  }

  std::vector<float> encode(const std::vector<uint8_t>& pictures, int32_t batch_size, int32_t width,
                            int32_t height, bool tiling = false) {
    const kandinsky_decode_options options = raw_decode(batch_size, width, height, tiling);
    std::vector<float> latents(latent_count(batch_size, width, height));
    run([&] {
      return kandinsky_encode(engine_.get(), &options, pictures.data(), pictures.size(),
                              latents.data(), latents.size());
    });
    return latents;
  }

  /// Pictures [seeds.size(), height, width, 3], as are those of all tasks.
  std::vector<uint8_t> text_to_image(const PromptOptions& prompts, const DenoiseOptions& denoise) {
    const RawPrompts raw_prompts(prompts);
    return task(denoise, [&](const kandinsky_denoise_options& raw, std::vector<uint8_t>& pictures) {
      return kandinsky_text_to_image(engine_.get(), &raw_prompts.options, &raw, pictures.data(),
                                     pictures.size());
    });
  }

  std::vector<uint8_t> image_to_image(const PromptOptions& prompts, const DenoiseOptions& denoise,
                                      const SourceOptions& source) {
    const RawPrompts raw_prompts(prompts);
    const RawSource raw_source(source);
    return task(denoise, [&](const kandinsky_denoise_options& raw, std::vector<uint8_t>& pictures) {
      return kandinsky_image_to_image(engine_.get(), &raw_prompts.options, &raw,
                                      &raw_source.options, pictures.data(), pictures.size());
    });
  }

  /// `source` may be null: text to image.
  std::vector<uint8_t> paint(const Embeds& embeds, const Embeds& negative_embeds,
                             const DenoiseOptions& denoise, const SourceOptions* source = nullptr) {
    std::optional<RawSource> raw_source;
    if (source != nullptr) raw_source.emplace(*source);
    return task(denoise, [&](const kandinsky_denoise_options& raw, std::vector<uint8_t>& pictures) {
      return kandinsky_paint(engine_.get(), embeds.get(), negative_embeds.get(), &raw,
                             raw_source ? &raw_source->options : nullptr, pictures.data(),
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
    std::exception_ptr thrown;
    std::atomic<bool> running = false;
  };
  struct RawPrompts {
    explicit RawPrompts(const PromptOptions& from) {
      kandinsky_prompt_options_init(&options);
      for (const std::string& prompt : from.prompts) prompts.push_back(prompt.c_str());
      for (const std::string& prompt : from.negative_prompts)
        negative_prompts.push_back(prompt.c_str());
      for (const std::string& prompt : from.negative_prior_prompts)
        negative_prior_prompts.push_back(prompt.c_str());
      if (from.seeds.size() != prompts.size() ||
          (from.has_negative_prompts && negative_prompts.size() != prompts.size()) ||
          (from.has_negative_prior_prompts && negative_prior_prompts.size() != prompts.size())) {
        throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                          "prompts, negative prompts and seeds must be lists of the same length");
      }
      options.batch_size = static_cast<int32_t>(prompts.size());
      options.prompts = prompts.data();
      options.negative_prompts = from.has_negative_prompts ? negative_prompts.data() : nullptr;
      options.negative_prior_prompts =
          from.has_negative_prior_prompts ? negative_prior_prompts.data() : nullptr;
      options.seeds = from.seeds.data();
      options.prior_num_inference_steps = from.prior_num_inference_steps;
      options.prior_guidance_scale = from.prior_guidance_scale;
      options.negative_image = from.negative_image.c_str();
      options.parse_weights = from.parse_weights ? 1 : 0;
      options.long_prompts = from.long_prompts ? 1 : 0;
    }
    RawPrompts(const RawPrompts&) = delete;
    RawPrompts& operator=(const RawPrompts&) = delete;
    std::vector<const char*> prompts;
    std::vector<const char*> negative_prompts;
    std::vector<const char*> negative_prior_prompts;
    kandinsky_prompt_options options;
  };
  struct RawSource {
    explicit RawSource(const SourceOptions& from)
        : pictures(raw_pictures(from.pictures)), masks(raw_pictures(from.masks)) {
      kandinsky_source_options_init(&options);
      options.pictures = pictures.data();
      options.picture_count = pictures.size();
      options.masks = masks.data();
      options.mask_count = masks.size();
      options.resize = from.resize.c_str();
      options.mask_blur = from.mask_blur;
      options.invert_mask = from.invert_mask ? 1 : 0;
      options.mask_fill = from.mask_fill.c_str();
      options.erode_mask = from.erode_mask ? 1 : 0;
      options.composite = from.composite ? 1 : 0;
    }
    RawSource(const RawSource&) = delete;
    RawSource& operator=(const RawSource&) = delete;
    std::vector<kandinsky_picture> pictures;
    std::vector<kandinsky_picture> masks;
    kandinsky_source_options options;
  };

  static std::vector<kandinsky_picture> raw_pictures(const std::vector<Picture>& from) {
    std::vector<kandinsky_picture> raw;
    for (const Picture& picture : from) {
      if (picture.width < 0 || picture.height < 0 || picture.channels < 0 ||
          picture.pixels.size() != static_cast<size_t>(picture.width) *
                                       static_cast<size_t>(picture.height) *
                                       static_cast<size_t>(picture.channels)) {
        throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                          "a picture's pixels do not fit its width, height and channels");
      }
      raw.push_back(picture.raw());
    }
    return raw;
  }

  kandinsky_denoise_options raw_denoise(const DenoiseOptions& from) const {
    kandinsky_denoise_options options;
    kandinsky_denoise_options_init(&options);
    options.batch_size = static_cast<int32_t>(from.seeds.size());
    options.width = from.width;
    options.height = from.height;
    options.seeds = from.seeds.data();
    options.sampler = from.sampler.c_str();
    options.scheduler = from.scheduler.c_str();
    options.num_inference_steps = from.num_inference_steps;
    options.guidance_scale = from.guidance_scale;
    options.guidance_rescale = from.guidance_rescale;
    options.guidance_start = from.guidance_start;
    options.guidance_end = from.guidance_end;
    options.tiling = from.tiling ? 1 : 0;
    const size_t count = latent_count(from.seeds.size(), from.width, from.height);
    const size_t places = count / static_cast<size_t>(info().latent_channels);
    options.noise = data_or_null("noise", from.noise, count);
    options.variation_seeds =
        data_or_null("variation_seeds", from.variation_seeds, from.seeds.size());
    options.variation_strength = from.variation_strength;
    options.seed_resize_width = from.seed_resize_width;
    options.seed_resize_height = from.seed_resize_height;
    options.init_latents = data_or_null("init_latents", from.init_latents, count);
    options.strength = from.strength;
    options.init_noise = from.init_noise.c_str();
    options.mask = data_or_null("mask", from.mask, places);
    options.mask_method = from.mask_method.c_str();
    options.conditions = from.conditions.data();
    options.condition_count = from.conditions.size();
    options.negative_conditions = from.negative_conditions.data();
    options.negative_condition_count = from.negative_conditions.size();
    return options;
  }
  static kandinsky_decode_options raw_decode(int32_t batch_size, int32_t width, int32_t height,
                                             bool tiling) {
    kandinsky_decode_options options;
    kandinsky_decode_options_init(&options);
    options.batch_size = batch_size;
    options.width = width;
    options.height = height;
    options.tiling = tiling ? 1 : 0;
    return options;
  }
  /// Null for an empty list, which means the default. Throws unless it is `expected` long.
  template <typename T>
  static const T* data_or_null(const char* name, const std::vector<T>& values, size_t expected) {
    if (values.empty()) return nullptr;
    if (values.size() == expected) return values.data();
    throw StatusError(
        KANDINSKY_INVALID_ARGUMENT,
        (std::string(name) + ": its size does not fit the batch and picture size").c_str());
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
    // Asked here already: `thrown` belongs to the job that runs, not to a second caller.
    if (callbacks_->running.exchange(true)) {
      throw StatusError(KANDINSKY_BUSY, "the engine is running another job");
    }
    const std::unique_ptr<Callbacks, Finish> finish(callbacks_.get());
    const kandinsky_status status = job();
    if (callbacks_->thrown) std::rethrow_exception(std::exchange(callbacks_->thrown, nullptr));
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
    }
  }

  std::unique_ptr<Callbacks> callbacks_ = std::make_unique<Callbacks>();
  std::unique_ptr<kandinsky_engine, Free> engine_;
};

inline void save_picture(const std::string& path, const uint8_t* pixels, int32_t width,
                         int32_t height, const std::string& parameters = {}) {
  check(kandinsky_picture_save(path.c_str(), pixels, width, height,
                               parameters.empty() ? nullptr : parameters.c_str()));
}

}  // namespace kandinsky

#endif  // KANDINSKY_HPP_
