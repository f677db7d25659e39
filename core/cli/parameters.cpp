#include "cli/parameters.h"

#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <type_traits>

#include "cli/text.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

/// Hosts split the settings at commas and colons, and quote values that have them. Their parser
/// also loses an empty value, blanks at the ends, and quotes that are a value's own.
std::string setting_value(const std::string& value) {
  const bool is_lost = value.empty() || value.front() == '"' || stripped(value) != value;
  return is_lost || value.find_first_of(",:\n") != std::string::npos ? json_string(value) : value;
}

/// The line of settings, as it grows.
class Settings {
 public:
  template <typename Value>
  void add(std::string_view key, const Value& value) {
    if (!line_.empty()) line_ += ", ";
    line_ += fmt::format("{}: {}", key, setting_value(fmt::format("{}", value)));
  }
  /// Leaves out what is as it is by default.
  template <typename Value>
  void add_unless(const Value& usual, std::string_view key, const Value& value) {
    if (value == usual) return;
    if constexpr (std::is_same_v<Value, bool>) {
      add(key, value ? "True" : "False");
    } else {
      add(key, value);
    }
  }
  const std::string& line() const { return line_; }

 private:
  std::string line_;
};

/// The order is that of Automatic1111.
void add_sampling(Settings& settings, const DenoiseOptions& denoise, std::size_t i,
                  const std::string& model) {
  const DenoiseOptions usual;
  settings.add("Steps", denoise.num_inference_steps);
  settings.add("Sampler", denoise.sampler);
  settings.add("Schedule type", denoise.scheduler);
  settings.add("CFG scale", denoise.guidance_scale);
  settings.add("Seed", denoise.seeds[i]);
  settings.add("Size", fmt::format("{}x{}", denoise.width, denoise.height));
  settings.add("Model", model);
  if (!denoise.variation_seeds.empty()) {
    settings.add("Variation seed", denoise.variation_seeds[i]);
    settings.add("Variation seed strength", denoise.variation_strength);
  }
  if (denoise.seed_resize_width > 0) {
    settings.add("Seed resize from",
                 fmt::format("{}x{}", denoise.seed_resize_width, denoise.seed_resize_height));
  }
  settings.add_unless(usual.tiling, "Tiling", denoise.tiling);
  settings.add_unless(usual.guidance_rescale, "Kandinsky guidance rescale",
                      denoise.guidance_rescale);
  settings.add_unless(usual.guidance_start, "Kandinsky guidance start", denoise.guidance_start);
  settings.add_unless(usual.guidance_end, "Kandinsky guidance end", denoise.guidance_end);
  settings.add_unless(usual.cache_interval, "Kandinsky cache interval", denoise.cache_interval);
}

void add_source(Settings& settings, const PaintJob& job) {
  settings.add("Denoising strength", job.denoise.strength);
  settings.add_unless(SourceOptions().resize, "Kandinsky resize", job.source.resize);
  settings.add_unless(DenoiseOptions().init_noise, "Kandinsky init noise", job.denoise.init_noise);
}

void add_mask(Settings& settings, const PaintJob& job, const kandinsky_engine_info& info) {
  const SourceOptions usual;
  const SourceOptions& source = job.source;
  settings.add("Mask blur", source.mask_blur);
  if (source.invert_mask) settings.add("Mask mode", "Inpaint not masked");
  settings.add_unless(usual.mask_fill, "Masked content", source.mask_fill);
  settings.add_unless(usual.erode_mask, "Kandinsky erode mask", source.erode_mask);
  settings.add_unless(usual.composite, "Kandinsky composite", source.composite);
  const bool has_model = info.inpaint_dir[0] != '\0';
  const std::string& asked = job.denoise.mask_method;
  settings.add("Kandinsky inpaint", asked != "auto" ? asked : has_model ? "model" : "blend");
}

void add_prompts(Settings& settings, const PaintJob& job) {
  const PromptOptions usual;
  const PromptOptions& prompts = job.prompts;
  settings.add("Kandinsky prior steps", prompts.prior_num_inference_steps);
  settings.add("Kandinsky prior CFG scale", prompts.prior_guidance_scale);
  if (job.negative_prior_prompt)
    settings.add("Kandinsky negative prior prompt", *job.negative_prior_prompt);
  settings.add_unless(usual.negative_image, "Kandinsky negative image", prompts.negative_image);
  settings.add_unless(false, "Kandinsky plain prompt", !prompts.parse_weights);
  settings.add_unless(usual.long_prompts, "Kandinsky long prompts", prompts.long_prompts);
}

void add_mix(Settings& settings, const PaintJob& job) {
  std::string items;
  for (const MixItem& item : job.mix) {
    if (!items.empty()) items += " + ";
    const bool is_text = item.kind == MixItem::Kind::kText;
    const std::string name = is_text
                                 ? json_string(item.value)
                                 : to_utf8(std::filesystem::path(item.value).filename().string());
    items += fmt::format("{} {}", item.weight, name);
  }
  settings.add("Kandinsky mix items", items);
  settings.add("Kandinsky mix method", job.slerp ? "slerp" : "sum");
}

/// What the decoder reads.
std::string main_text(const PaintJob& job) {
  if (job.prompt) return *job.prompt;
  for (const MixItem& item : job.mix) {
    if (item.kind == MixItem::Kind::kText) return item.value;
  }
  return "";
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\b':
        quoted += "\\b";
        break;
      case '\f':
        quoted += "\\f";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          quoted += c;
        }
    }
  }
  return quoted + '"';
}

std::string parameters_text(const PaintJob& job, std::size_t i, const std::string& model,
                            const kandinsky_engine_info& info) {
  std::string text = main_text(job);
  if (job.negative_prompt) text += "\nNegative prompt: " + *job.negative_prompt;
  text += '\n';
  Settings settings;
  add_sampling(settings, job.denoise, i, model);
  if (!job.source.pictures.empty()) add_source(settings, job);
  if (!job.source.masks.empty()) add_mask(settings, job, info);
  add_prompts(settings, job);
  if (!job.mix.empty()) add_mix(settings, job);
  settings.add("Kandinsky precision", info.precision);
  settings.add_unless(EngineOptions().int8_weights, "Kandinsky int8 weights",
                      job.model.engine.int8_weights);
  settings.add("Version", fmt::format("kandinsky {}", kandinsky_version()));
  return std::string(stripped(text + settings.line()));
}

}  // namespace kandinsky::cli
