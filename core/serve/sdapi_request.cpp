#include "serve/sdapi_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/edit_distance.h"
#include "jobs/text.h"
#include "kandinsky.hpp"
#include "serve/order.h"
#include "serve/reply.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;
using Kind = SdapiField::Kind;

constexpr bool kNo = false;
constexpr bool kYes = true;

// Source: Automatic1111 1.10, StableDiffusionTxt2ImgProcessingAPI and ...Img2ImgProcessingAPI.
constexpr std::array kFields{
    SdapiField{"prompt", Kind::kOption, "prompt"},
    SdapiField{"negative_prompt", Kind::kOption, "negative_prompt"},
    SdapiField{"steps", Kind::kOption, "num_inference_steps"},
    SdapiField{"cfg_scale", Kind::kOption, "guidance_scale"},
    SdapiField{"width", Kind::kOption, "width"},
    SdapiField{"height", Kind::kOption, "height"},
    SdapiField{"seed", Kind::kOption, "seed"},
    SdapiField{"subseed", Kind::kOption, "variation_seed"},
    SdapiField{"subseed_strength", Kind::kOption, "variation_strength"},
    SdapiField{"seed_resize_from_w", Kind::kPositive, "seed_resize_width"},
    SdapiField{"seed_resize_from_h", Kind::kPositive, "seed_resize_height"},
    SdapiField{"batch_size", Kind::kOption, "batch_size"},
    SdapiField{"n_iter", Kind::kOption, "n_iter"},
    SdapiField{"tiling", Kind::kOption, "tiling"},
    SdapiField{"sampler_name", Kind::kTranslated, "sampler"},
    SdapiField{"sampler_index", Kind::kTranslated, "sampler"},
    SdapiField{"scheduler", Kind::kTranslated, "scheduler"},
    SdapiField{"denoising_strength", Kind::kOption, "strength", kNo, kYes},
    SdapiField{"denoising_strength", Kind::kSilent, "", kYes, kNo},
    SdapiField{"init_images", Kind::kTranslated, "image", kNo, kYes},
    SdapiField{"mask", Kind::kImage, "mask", kNo, kYes},
    SdapiField{"mask_blur", Kind::kOption, "mask_blur", kNo, kYes},
    SdapiField{"resize_mode", Kind::kTranslated, "resize", kNo, kYes},
    SdapiField{"inpainting_fill", Kind::kTranslated, "mask_fill", kNo, kYes},
    SdapiField{"inpainting_mask_invert", Kind::kTranslated, "invert_mask", kNo, kYes},
    SdapiField{"inpaint_full_res", Kind::kTranslated, "", kNo, kYes},
    SdapiField{"inpaint_full_res_padding", Kind::kSilent, "", kNo, kYes},
    SdapiField{"mask_blur_x", Kind::kNoEffect, "", kNo, kYes},
    SdapiField{"mask_blur_y", Kind::kNoEffect, "", kNo, kYes},
    SdapiField{"mask_round", Kind::kSilent, "", kNo, kYes},
    SdapiField{"image_cfg_scale", Kind::kSilent, "", kNo, kYes},
    SdapiField{"initial_noise_multiplier", Kind::kTranslated, "", kNo, kYes},
    SdapiField{"latent_mask", Kind::kNone, "", kNo, kYes},
    SdapiField{"include_init_images", Kind::kTranslated, "", kNo, kYes},
    SdapiField{"kandinsky", Kind::kTranslated},
    SdapiField{"override_settings", Kind::kTranslated},
    SdapiField{"send_images", Kind::kTranslated},
    SdapiField{"script_name", Kind::kTranslated},
    SdapiField{"script_args", Kind::kTranslated},
    SdapiField{"alwayson_scripts", Kind::kNone},
    SdapiField{"styles", Kind::kNone},
    SdapiField{"restore_faces", Kind::kNone},
    SdapiField{"enable_hr", Kind::kNone, "", kYes, kNo},
    SdapiField{"refiner_checkpoint", Kind::kNone},
    SdapiField{"infotext", Kind::kNone},
    SdapiField{"eta", Kind::kNoEffect},
    SdapiField{"s_min_uncond", Kind::kNoEffect},
    SdapiField{"s_churn", Kind::kNoEffect},
    SdapiField{"s_tmax", Kind::kSilent},
    SdapiField{"s_tmin", Kind::kNoEffect},
    SdapiField{"s_noise", Kind::kSilent},
    SdapiField{"save_images", Kind::kNoEffect},
    SdapiField{"do_not_save_samples", Kind::kSilent},
    SdapiField{"do_not_save_grid", Kind::kSilent},
    SdapiField{"disable_extra_networks", Kind::kSilent},
    SdapiField{"override_settings_restore_afterwards", Kind::kSilent},
    SdapiField{"force_task_id", Kind::kSilent},
    SdapiField{"comments", Kind::kSilent},
    SdapiField{"refiner_switch_at", Kind::kSilent},
    SdapiField{"firstpass_image", Kind::kNone, "", kYes, kNo},
    SdapiField{"firstphase_width", Kind::kSilent},
    SdapiField{"firstphase_height", Kind::kSilent},
    // Of the hires pass, which enable_hr turns on.
    SdapiField{"hr_scale", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_upscaler", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_second_pass_steps", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_resize_x", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_resize_y", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_checkpoint_name", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_sampler_name", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_scheduler", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_prompt", Kind::kSilent, "", kYes, kNo},
    SdapiField{"hr_negative_prompt", Kind::kSilent, "", kYes, kNo},
};

bool is_off(const Json& value) {
  return value.is_null() || value == false || value == 0 || value == "" ||
         (value.is_structured() && value.empty());
}

[[noreturn]] void refuse(const std::string& field, const std::string& message) {
  throw RequestError(kUnprocessable, field + ": " + message, field);
}

const SdapiField& find_field(const std::string& name, bool from_image) {
  const auto belongs = [&](const SdapiField& field) {
    return from_image ? field.from_image : field.from_text;
  };
  const SdapiField* nearest = nullptr;
  std::size_t least = 0;
  constexpr std::size_t kCompared = 64;
  const std::string compared = jobs::to_utf8(name.substr(0, kCompared));
  for (const SdapiField& field : kFields) {
    if (!belongs(field)) continue;
    if (name == field.name) return field;
    const std::size_t letters = edit_distance(compared, field.name);
    if (nearest == nullptr || letters < least)
      std::tie(nearest, least) = std::pair(&field, letters);
  }
  refuse(compared, fmt::format("unknown field; did you mean \"{}\"?", nearest->name));
}

std::string text_of(const std::string& field, const Json& value) {
  if (!value.is_string()) refuse(field, "expected a text");
  return value.get<std::string>();
}

/// A word of a list by its index.
std::string word_of(const std::string& field, const Json& value,
                    std::initializer_list<const char*> words) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= words.size())
    refuse(field, fmt::format("expected 0 to {}", words.size() - 1));
  return *(words.begin() + value.get<std::uint64_t>());
}

/// As data: URI for the reader; clients also send plain base64.
std::string image_of(const std::string& field, const Json& value) {
  const std::string text = text_of(field, value);
  if (text.starts_with("http:") || text.starts_with("https:"))
    refuse(field, "expected an image file in base64; the server does not fetch URLs");
  return text.starts_with("data:") ? text : "data:image/png;base64," + text;
}

/// "karras", "sgm_uniform" and "SGM Uniform"; empty: unknown.
std::string scheduler_named(std::string name) {
  std::ranges::replace(name, '_', ' ');
  for (const std::string& known : scheduler_names()) {
    if (jobs::same_word(known, name)) return known;
  }
  return {};
}

class Translator {
 public:
  Translator(Order& order, bool from_image, const std::string& model)
      : order_(order), from_image_(from_image), model_(model) {}

  void read(const Json& body) {
    for (const auto& [name, value] : body.items()) {
      const SdapiField& field = find_field(name, from_image_);
      if (!value.is_null()) read_field(field, value);
    }
    // "kandinsky" overrides other fields, wherever it stands.
    if (!own_.empty()) options.update(own_);
  }

  /// Conditions on several fields.
  void finish() {
    // An empty prompt would replace a mix's own text.
    const bool has_prompt = options.contains("prompt") && options["prompt"] != "";
    if (!has_prompt && !options.contains("mix")) options["prompt"] = "";
    if (!has_prompt && options.contains("mix")) options.erase("prompt");
    if (!from_image_) return;
    if (!options.contains("image"))
      throw RequestError(kUnprocessable, "init_images: missing", "init_images");
    if (!options.contains("strength")) options["strength"] = 0.75;
    if (!options.contains("mask")) return;
    if (!options.contains("mask_fill")) options["mask_fill"] = "fill";
    if (!is_whole_image_) {
      order_.remarks.emplace_back(
          "inpaint_full_res: the whole image is generated, not the masked part alone");
    }
  }

  Json options = Json::object();
  std::map<std::string, std::string> field_of;

 private:
  void set(const SdapiField& field, Json value) {
    options[field.option] = std::move(value);
    field_of[field.option] = field.name;
  }

  void read_field(const SdapiField& field, const Json& value) {
    switch (field.kind) {
      case Kind::kOption:
        return set(field, value);
      case Kind::kPositive:
        if (!value.is_number() || value > 0) set(field, value);
        return;
      case Kind::kImage:
        if (value != "") set(field, image_of(field.name, value));
        return;
      case Kind::kTranslated:
        return translate(field, value);
      case Kind::kNone:
        if (!is_off(value)) refuse(field.name, "not supported by this server");
        return;
      case Kind::kNoEffect:
        if (!is_off(value)) remark(field.name);
        return;
      case Kind::kSilent:
        return;
    }
  }

  void remark(const std::string& field) { order_.remarks.push_back(field + " has no effect"); }

  void translate(const SdapiField& field, const Json& value) {
    const std::string name = field.name;
    if (field.option == std::string_view("sampler")) {
      // "sampler_index" is the older name, which some clients also send.
      if (value == "" || (name == "sampler_index" && options.contains("sampler"))) return;
      read_sampler(field, text_of(name, value));
    } else if (name == "scheduler") {
      if (value == "") return;
      const std::string known = scheduler_named(text_of(name, value));
      set(field, known.empty() ? value : Json(known));
    } else if (name == "init_images") {
      if (!value.is_array() || value.size() != 1) refuse(name, "expected a list of one image");
      set(field, image_of(name, value.front()));
    } else if (name == "resize_mode") {
      set(field, word_of(name, value, {"stretch", "crop", "fill"}));
    } else if (name == "inpainting_fill") {
      set(field, word_of(name, value, {"fill", "original", "latent noise", "latent nothing"}));
    } else if (name == "inpainting_mask_invert") {
      set(field, word_of(name, value, {"no", "yes"}) == "yes");
    } else if (name == "kandinsky") {
      if (!value.is_object()) refuse(name, "expected an object of options by name");
      own_ = value;
    } else if (name == "override_settings") {
      read_settings(value);
    } else if (name == "script_name") {
      if (value != "" &&
          !(value.is_string() && jobs::same_word(value.get<std::string>(), "kandinsky")))
        refuse(name, "not supported by this server");
    } else if (name == "script_args") {
      if (!is_off(value)) refuse(name, "not supported; give options by name in \"kandinsky\"");
    } else if (name == "inpaint_full_res") {
      is_whole_image_ = is_off(value);
    } else if (name == "initial_noise_multiplier") {
      if (value != 1) remark(name);
    } else if (name == "include_init_images" || name == "send_images") {
      if (!value.is_boolean()) refuse(name, "expected true or false");
    }
  }

  /// "DPM++ 2M", or "DPM++ 2M Karras" as in older clients.
  void read_sampler(const SdapiField& field, const std::string& given) {
    const std::vector<std::string> known = sampler_names();
    const auto is_known = [&](std::string_view name) {
      return std::ranges::any_of(known,
                                 [&](const auto& own) { return jobs::same_word(own, name); });
    };
    for (std::size_t blank = given.find(' '); !is_known(given) && blank != std::string::npos;
         blank = given.find(' ', blank + 1)) {
      const std::string scheduler = scheduler_named(given.substr(blank + 1));
      if (!is_known(given.substr(0, blank)) || scheduler.empty()) continue;
      set(field, given.substr(0, blank));
      if (!options.contains("scheduler")) options["scheduler"] = scheduler;
      return;
    }
    set(field, given);
  }

  void read_settings(const Json& settings) {
    if (!settings.is_object()) refuse("override_settings", "expected an object");
    for (const auto& [name, value] : settings.items()) {
      const std::string field = "override_settings." + name;
      if (name != "sd_model_checkpoint") {
        remark(field);
      } else if (const std::string wanted = text_of(field, value);
                 !wanted.empty() && wanted != model_ && !wanted.starts_with(model_ + " [")) {
        refuse(field, fmt::format("this server has only \"{}\"", model_));
      }
    }
  }

  Order& order_;
  const bool from_image_;
  const std::string& model_;
  Json own_;
  bool is_whole_image_ = false;
};

}  // namespace

std::span<const SdapiField> sdapi_fields() { return kFields; }

Order read_sdapi(const jobs::RequestReader& reader, const Json& body, bool from_image,
                 const std::string& model) {
  Order remarks;
  Translator translator(remarks, from_image, model);
  translator.read(body);
  translator.finish();
  Order order = read_order(reader, std::move(translator.options), translator.field_of);
  order.remarks = std::move(remarks.remarks);
  return order;
}

}  // namespace kandinsky::serve
