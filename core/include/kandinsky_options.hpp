/// Part of kandinsky.hpp: what a job is asked for, as values that own what they hold.
#ifndef KANDINSKY_OPTIONS_HPP_
#define KANDINSKY_OPTIONS_HPP_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kandinsky_library.hpp"

namespace kandinsky {

/// Which models, and how they are run.
struct EngineOptions {
  std::string model_dir{};
  std::string prior_dir{};                   ///< empty: the folder beside the model
  std::optional<std::string> inpaint_dir{};  ///< nothing: the folder beside the model if there is
                                             ///< one; "": none
  std::string device = "auto";
  std::string precision = "auto";
  uint64_t max_memory = 0;     ///< bytes; 0: what is free
  std::string without{};       ///< names of speed-ups to leave out, separated by commas
  std::string prior_device{};  ///< empty: `device`
  bool int8_weights = false;
};

/// Texts to encode. See kandinsky_prompt_options.
struct PromptOptions {
  std::vector<std::string> prompts;
  std::optional<std::vector<std::string>> negative_prompts;        ///< nothing: absent
  std::optional<std::vector<std::string>> negative_prior_prompts;  ///< nothing: negative_prompts
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
  int32_t cache_interval = 1;
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

/// The same as the structs of kandinsky.h, which borrow: each needs the options that it was made
/// from. All throw StatusError(KANDINSKY_INVALID_ARGUMENT) for lists of lengths that do not fit,
/// which the library cannot see.
namespace raw {

/// Borrowed from the texts, so these must outlive the result.
inline std::vector<const char*> texts(const std::vector<std::string>& from) {
  std::vector<const char*> raw;
  for (const std::string& text : from) raw.push_back(text.c_str());
  return raw;
}
inline std::vector<const char*> texts(const std::optional<std::vector<std::string>>& from) {
  return from ? texts(*from) : std::vector<const char*>();
}
std::vector<const char*> texts(std::vector<std::string>&& from) = delete;

inline std::vector<kandinsky_picture> pictures(const std::vector<Picture>& from) {
  std::vector<kandinsky_picture> raw;
  for (const Picture& picture : from) raw.push_back(picture.raw());
  return raw;
}

/// Null for an empty list, which means the default.
template <typename T>
const T* data_or_null(const char* name, const std::vector<T>& values, size_t expected) {
  if (values.empty()) return nullptr;
  if (values.size() == expected) return values.data();
  throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                    std::string(name) + ": there are " + std::to_string(values.size()) +
                        " numbers, but batch and picture size need " + std::to_string(expected));
}

class Prompts {
 public:
  explicit Prompts(const PromptOptions& from)
      : prompts_(texts(from.prompts)),
        negative_prompts_(texts(from.negative_prompts)),
        negative_prior_prompts_(texts(from.negative_prior_prompts)) {
    check_length("seeds", from.seeds.size());
    if (from.negative_prompts) check_length("negative_prompts", negative_prompts_.size());
    if (from.negative_prior_prompts)
      check_length("negative_prior_prompts", negative_prior_prompts_.size());
    kandinsky_prompt_options_init(&options_);
    options_.batch_size = static_cast<int32_t>(prompts_.size());
    options_.prompts = prompts_.data();
    options_.negative_prompts = from.negative_prompts ? negative_prompts_.data() : nullptr;
    options_.negative_prior_prompts =
        from.negative_prior_prompts ? negative_prior_prompts_.data() : nullptr;
    options_.seeds = from.seeds.data();
    options_.prior_num_inference_steps = from.prior_num_inference_steps;
    options_.prior_guidance_scale = from.prior_guidance_scale;
    options_.negative_image = from.negative_image.c_str();
    options_.parse_weights = from.parse_weights ? 1 : 0;
    options_.long_prompts = from.long_prompts ? 1 : 0;
  }
  Prompts(const Prompts&) = delete;
  Prompts& operator=(const Prompts&) = delete;
  const kandinsky_prompt_options* get() const { return &options_; }

 private:
  void check_length(const char* name, size_t length) const {
    if (length == prompts_.size()) return;
    throw StatusError(KANDINSKY_INVALID_ARGUMENT, std::string(name) + ": there are " +
                                                      std::to_string(length) + ", but " +
                                                      std::to_string(prompts_.size()) + " prompts");
  }
  std::vector<const char*> prompts_;
  std::vector<const char*> negative_prompts_;
  std::vector<const char*> negative_prior_prompts_;
  kandinsky_prompt_options options_;
};

class Source {
 public:
  explicit Source(const SourceOptions& from)
      : pictures_(pictures(from.pictures)), masks_(pictures(from.masks)) {
    kandinsky_source_options_init(&options_);
    options_.pictures = pictures_.data();
    options_.picture_count = pictures_.size();
    options_.masks = masks_.data();
    options_.mask_count = masks_.size();
    options_.resize = from.resize.c_str();
    options_.mask_blur = from.mask_blur;
    options_.invert_mask = from.invert_mask ? 1 : 0;
    options_.mask_fill = from.mask_fill.c_str();
    options_.erode_mask = from.erode_mask ? 1 : 0;
    options_.composite = from.composite ? 1 : 0;
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  const kandinsky_source_options* get() const { return &options_; }

 private:
  std::vector<kandinsky_picture> pictures_;
  std::vector<kandinsky_picture> masks_;
  kandinsky_source_options options_;
};

/// `places`: of the latents of one picture, latent height * latent width. `channels`: of latents.
inline kandinsky_denoise_options denoise(const DenoiseOptions& from, size_t places,
                                         size_t channels) {
  const size_t batch_size = from.seeds.size();
  kandinsky_denoise_options options;
  kandinsky_denoise_options_init(&options);
  options.batch_size = static_cast<int32_t>(batch_size);
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
  options.noise = data_or_null("noise", from.noise, batch_size * channels * places);
  options.variation_seeds = data_or_null("variation_seeds", from.variation_seeds, batch_size);
  options.variation_strength = from.variation_strength;
  options.seed_resize_width = from.seed_resize_width;
  options.seed_resize_height = from.seed_resize_height;
  options.init_latents =
      data_or_null("init_latents", from.init_latents, batch_size * channels * places);
  options.strength = from.strength;
  options.init_noise = from.init_noise.c_str();
  options.mask = data_or_null("mask", from.mask, batch_size * places);
  options.mask_method = from.mask_method.c_str();
  options.conditions = from.conditions.data();
  options.condition_count = from.conditions.size();
  options.negative_conditions = from.negative_conditions.data();
  options.negative_condition_count = from.negative_conditions.size();
  options.cache_interval = from.cache_interval;
  return options;
}

inline kandinsky_decode_options decode(int32_t batch_size, int32_t width, int32_t height,
                                       bool tiling) {
  kandinsky_decode_options options;
  kandinsky_decode_options_init(&options);
  options.batch_size = batch_size;
  options.width = width;
  options.height = height;
  options.tiling = tiling ? 1 : 0;
  return options;
}

}  // namespace raw
}  // namespace kandinsky

#endif  // KANDINSKY_OPTIONS_HPP_
