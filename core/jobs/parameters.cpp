#include "jobs/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "jobs/job.h"
#include "jobs/settings.h"
#include "jobs/text.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {
namespace {

/// Hosts split the settings at commas and colons, and quote values that contain them. Their parser
/// also loses empty values, spaces at the ends, and quotes within a value.
std::string setting_value(const std::string& value) {
  const bool is_lost = value.empty() || value.front() == '"' || stripped(value) != value;
  return is_lost || value.find_first_of(",:\n") != std::string::npos ? json_string(value) : value;
}

/// Builds the line of settings.
class Line {
 public:
  template <typename Value>
  void add(std::string_view key, const Value& value) {
    if (!text_.empty()) text_ += ", ";
    text_ += fmt::format("{}: {}", key, setting_value(fmt::format("{}", value)));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// In Automatic1111's order.
void add_sampling(Line& line, const Job& job, std::size_t i, const std::string& model,
                  const kandinsky_engine_info& info) {
  const Settings& settings = job.settings;
  line.add("Steps", settings.text("num_inference_steps"));
  line.add("Sampler", sampler_of(settings, info));
  line.add("Schedule type", settings.text("scheduler"));
  line.add("CFG scale", settings.text("guidance_scale"));
  line.add("Seed", job.seeds[i]);
  line.add("Size", fmt::format("{}x{}", job.size.width, job.size.height));
  line.add("Model", model);
  if (!job.variation_seeds.empty()) {
    line.add("Variation seed", job.variation_seeds[i]);
    line.add("Variation seed strength", settings.text("variation_strength"));
  }
  if (settings.is_changed("seed_resize_width")) {
    line.add("Seed resize from", fmt::format("{}x{}", settings.text("seed_resize_width"),
                                             settings.text("seed_resize_height")));
  }
  if (settings.is_changed("tiling")) line.add("Tiling", "True");
}

void add_mask(Line& line, const Settings& settings, const kandinsky_engine_info& info) {
  line.add("Mask blur", settings.text("mask_blur"));
  if (settings.is_changed("invert_mask")) line.add("Mask mode", "Inpaint not masked");
  if (settings.is_changed("mask_fill")) line.add("Masked content", settings.text("mask_fill"));
  const bool has_model = info.inpaint_dir[0] != '\0';
  const std::string asked = settings.text("mask_method");
  line.add("Kandinsky inpaint", asked != "auto" ? asked : has_model ? "model" : "blend");
}

void add_prompts(Line& line, const Job& job) {
  line.add("Kandinsky prior steps", job.settings.text("prior_num_inference_steps"));
  line.add("Kandinsky prior CFG scale", job.settings.text("prior_guidance_scale"));
  if (job.negative_prior_prompt)
    line.add("Kandinsky negative prior prompt", *job.negative_prior_prompt);
  if (job.settings.is_changed("parse_weights")) line.add("Kandinsky plain prompt", "True");
}

/// Options without a name in hosts: "Kandinsky cache interval" for cache_interval.
void add_others(Line& line, const Settings& settings) {
  const std::set<std::string_view> said{"num_inference_steps",
                                        "sampler",
                                        "scheduler",
                                        "guidance_scale",
                                        "width",
                                        "height",
                                        "variation_strength",
                                        "seed_resize_width",
                                        "seed_resize_height",
                                        "tiling",
                                        "strength",
                                        "mask_blur",
                                        "invert_mask",
                                        "mask_fill",
                                        "mask_method",
                                        "parse_weights",
                                        "preset",
                                        "prior_guidance_scale",
                                        "prior_num_inference_steps"};
  for (const kandinsky_option_info& info : option_infos("image_to_image")) {
    if (said.count(info.name) > 0 || !settings.is_changed(info.name)) continue;
    std::string key = fmt::format("Kandinsky {}", info.name);
    std::ranges::replace(key, '_', ' ');
    const std::string value = settings.text(info.name);
    line.add(key, value == "true" ? "True" : value == "false" ? "False" : value);
  }
}

std::string file_name(const std::string& path) {
  return to_utf8(std::filesystem::path(path).filename().string());
}

void add_mix(Line& line, const Job& job) {
  std::string items;
  for (const MixItem& item : job.mix) {
    if (!items.empty()) items += " + ";
    const bool is_text = item.kind == MixItem::Kind::kText;
    const std::string name = is_text ? json_string(item.value) : file_name(item.value);
    items += fmt::format("{} {}", item.weight, name);
  }
  line.add("Kandinsky mix items", items);
  line.add("Kandinsky mix method", job.slerp ? "slerp" : "sum");
}

/// Lines of "unet: file.safetensors [1a2b3c4d]".
void add_changes(Line& line, std::string_view changes) {
  for (; !changes.empty(); changes.remove_prefix(changes.find('\n') + 1)) {
    const std::string_view one = changes.substr(0, changes.find('\n'));
    const std::size_t colon = one.find(": ");
    std::string key = fmt::format("Kandinsky {}", one.substr(0, colon));
    std::ranges::replace(key, '_', ' ');
    line.add(key, one.substr(colon + 2));
  }
}

/// The decoder's text.
std::string main_text(const Job& job) {
  if (job.prompt) return *job.prompt;
  for (const MixItem& item : job.mix) {
    if (item.kind == MixItem::Kind::kText) return item.value;
  }
  return "";
}

}  // namespace

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string sampler_of(const Settings& settings, const kandinsky_engine_info& info) {
  return settings.is_changed("sampler") ? settings.text("sampler") : info.own_sampler;
}

std::string parameters_text(const Job& job, std::size_t i, const std::string& model,
                            const kandinsky_engine_info& info) {
  std::string text = main_text(job);
  if (job.negative_prompt) text += "\nNegative prompt: " + *job.negative_prompt;
  text += '\n';
  Line line;
  add_sampling(line, job, i, model, info);
  if (!job.images.empty()) line.add("Denoising strength", job.settings.text("strength"));
  if (!job.masks.empty()) add_mask(line, job.settings, info);
  add_prompts(line, job);
  if (!job.prior_image.empty()) line.add("Kandinsky prior image", file_name(job.prior_image));
  if (!job.hint.empty()) line.add("Kandinsky hint", file_name(job.hint));
  add_others(line, job.settings);
  if (!job.mix.empty()) add_mix(line, job);
  add_changes(line, info.changes);
  line.add("Kandinsky precision", info.precision);
  if (job.settings.is_changed("int8_weights")) line.add("Kandinsky int8 weights", "True");
  line.add("Version", fmt::format("kandinsky {}", kandinsky_version()));
  return std::string(stripped(text + line.text()));
}

}  // namespace kandinsky::jobs
