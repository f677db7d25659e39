#include "jobs/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/edit_distance.h"
#include "jobs/base64.h"
#include "jobs/files.h"
#include "jobs/job.h"
#include "jobs/json_values.h"
#include "jobs/limits.h"
#include "jobs/settings.h"
#include "jobs/text.h"

namespace kandinsky::jobs {
namespace {

bool is_taken(const kandinsky_option_info& info) {
  return info.type <= KANDINSKY_PATH || (info.type == KANDINSKY_TEXTS && info.word_count > 0);
}

template <typename Function>
void for_each_option(const Function& function) {
  for (const char* operation : {"image_to_image", "engine"}) {
    for (const kandinsky_option_info& info : option_infos(operation)) {
      if (is_taken(info)) function(info);
    }
  }
}

/// The table's word, matched in any case; others stay unchanged, for the library to refuse.
std::string table_word(const kandinsky_option_info& info, const std::string& word) {
  const auto* const end = info.words + info.word_count;
  const auto* const found =
      std::find_if(info.words, end, [&](const char* known) { return same_word(known, word); });
  return found == end ? word : *found;
}

Settings::Value read_value(const kandinsky_option_info& info, const Json& value) {
  const std::string name = info.name;
  switch (info.type) {
    case KANDINSKY_FLAG:
      return as<bool>(name, value, value.is_boolean(), "true or false");
    case KANDINSKY_INTEGER:
      return as_integer(name, value);
    case KANDINSKY_NUMBER:
      return as_number(name, value);
    case KANDINSKY_TEXTS: {
      std::vector<std::string> texts;
      for (const Json& item : as<Json>(name, value, value.is_array(), "a list of texts"))
        texts.push_back(table_word(info, as_text(name, item)));
      return texts;
    }
    default:
      return table_word(info, as_text(name, value));
  }
}

/// A list option of images, of which a request has one.
struct OptionImage {
  std::string_view name;
  const char* option;
  std::string Job::*path;  ///< member for its file name
};

constexpr std::array kOptionImages{OptionImage{"hint", "hints", &Job::hint},
                                   OptionImage{"prior_image", "prior_images", &Job::prior_image}};

/// Reads one object's members into a request.
class Reading {
 public:
  Reading(Request& request, const std::optional<std::string>& folder)
      : request_(request), folder_(folder) {}

  void read(const Json& object) {
    for (const auto& [name, value] : object.items()) {
      if (!value.is_null()) read_member(name, value);
    }
  }

 private:
  void read_member(const std::string& name, const Json& value) {
    if (read_own(name, value)) return;
    bool is_known = false;
    for_each_option([&](const kandinsky_option_info& info) {
      if (name != info.name) return;
      is_known = true;
      Settings::Value read = read_value(info, value);
      if (info.type == KANDINSKY_PATH) read = path(name, std::get<std::string>(read));
      request_.job.settings.set(name, std::move(read));
    });
    if (!is_known) refuse_name(name);
  }

  /// Keys that are not options of the table, or single values of its lists.
  bool read_own(const std::string& name, const Json& value) {
    Job& job = request_.job;
    for (const OptionImage& own : kOptionImages) {
      if (name != own.name) continue;
      const ImageSource image = source(name, as_text(name, value));
      job.*own.path = image.name();
      request_.option_images[own.option] = image;
      return true;
    }
    if (name == "id") {
      request_.id = as_text(name, value);
    } else if (name == "prompt") {
      job.prompt = as_text(name, value);
    } else if (name == "negative_prompt") {
      job.negative_prompt = as_text(name, value);
    } else if (name == "negative_prior_prompt") {
      job.negative_prior_prompt = as_text(name, value);
    } else if (name == "seed") {
      job.seeds = {as_seed(name, value)};
    } else if (name == "variation_seed") {
      job.variation_seeds = {as_seed(name, value)};
    } else if (name == "width") {
      job.width = side(name, value);
    } else if (name == "height") {
      job.height = side(name, value);
    } else if (name == "image") {
      request_.image = source(name, as_text(name, value));
    } else if (name == "mask") {
      request_.mask = source(name, as_text(name, value));
    } else if (name == "mix") {
      read_mix(value);
    } else if (name == "mix_method") {
      const std::string method = as_text(name, value);
      if (method != "sum" && method != "slerp")
        refuse(fmt::format("mix_method is {}, expected \"sum\" or \"slerp\"", shown(value)));
      job.slerp = method == "slerp";
    } else {
      return false;
    }
    return true;
  }

  [[noreturn]] static void refuse_name(const std::string& name) {
    std::string nearest;
    std::size_t least = std::numeric_limits<std::size_t>::max();
    // Longer names than any option's are not compared.
    const std::string compared = to_utf8(name.substr(0, 64));
    const auto consider = [&](std::string_view spelled, std::string_view option) {
      const std::size_t letters = edit_distance(compared, spelled);
      if (letters >= least) return;
      least = letters;
      nearest = option;
    };
    for (const char* own :
         {"prompt", "negative_prompt", "negative_prior_prompt", "seed", "variation_seed", "width",
          "height", "image", "mask", "mix", "mix_method", "id"})
      consider(own, own);
    for (const OptionImage& own : kOptionImages) consider(own.name, own.name);
    for_each_option([&](const kandinsky_option_info& info) {
      consider(info.name, info.name);
      // Also suggest flag names, such as "--steps".
      std::string flag = flag_name(info).substr(2);
      std::ranges::replace(flag, '-', '_');
      consider(flag, info.name);
    });
    refuse(fmt::format("there is no option \"{}\"; did you mean \"{}\"?", compared, nearest));
  }

  static std::int32_t side(const std::string& name, const Json& value) {
    const std::int64_t pixels = as_integer(name, value);
    Options("image_to_image").set(name, pixels);  // its range
    return static_cast<std::int32_t>(pixels);
  }

  std::string path(const std::string& name, const std::string& given) const {
    if (!folder_) refuse(fmt::format("{}: a request to the server cannot name files", name));
    if (given.empty()) return given;  // may mean "none"
    return (std::filesystem::path(*folder_) / given).string();
  }

  ImageSource source(const std::string& name, const std::string& given) const {
    if (given.starts_with("data:")) {
      const ImageSource uri{.path = {}, .uri = given};
      uri.read();  // which refuses invalid base64
      return uri;
    }
    if (given.empty()) refuse(name + ": no file given");
    return {.path = path(name, given), .uri = {}};
  }

  void read_mix(const Json& value) {
    if (!value.is_array() || value.empty()) refuse("mix: expected a list of items");
    if (static_cast<double>(value.size()) > option_info("images").maximum)
      refuse(fmt::format("mix: {} items are too many", value.size()));
    for (const Json& item : value) read_mix_item(item);
  }

  void read_mix_item(const Json& item) {
    if (!item.is_object()) refuse(fmt::format("mix: {} is not an object", shown(item)));
    MixItem read;
    int kinds = 0;
    for (const auto& [name, value] : item.items()) {
      if (name == "weight") {
        read.weight = as_number("mix: weight", value);
        if (!(std::abs(read.weight) <= kMaxWeight))
          refuse(fmt::format("mix: weight is {}, expected {} to {}", read.weight, -kMaxWeight,
                             kMaxWeight));
        continue;
      }
      ++kinds;
      const std::string given = as_text("mix: " + name, value);
      if (name == "text") {
        read.kind = MixItem::Kind::kText;
        read.value = given;
      } else if (name == "image") {
        read.kind = MixItem::Kind::kImage;
        request_.mix_images.push_back(source("mix: image", given));
        read.value = request_.mix_images.back().name();
      } else if (name == "embeds") {
        read.kind = MixItem::Kind::kEmbeds;
        read.value = path("mix: embeds", given);
      } else {
        refuse(fmt::format("mix: an item has no \"{}\", only text, image or embeds, and weight",
                           to_utf8(name.substr(0, 64))));
      }
    }
    if (kinds != 1)
      refuse("mix: an item needs one of text, image and embeds, and may have a weight");
    request_.job.mix.push_back(std::move(read));
  }

  Request& request_;
  const std::optional<std::string>& folder_;
};

/// Conditions on several keys.
void check_whole(Request& request) {
  Job& job = request.job;
  if (!job.prompt && job.mix.empty()) refuse("prompt: missing");
  if (request.mask && !request.image) refuse("mask: needs an image");
  if (request.mask) choose_strength_under_mask(job.settings);
  if (job.settings.number("variation_strength") <= 0) job.variation_seeds.clear();
  constexpr std::size_t kMostId = 200;
  const std::string& id = request.id;
  const bool is_name = std::ranges::all_of(id, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  });
  if (!is_name || id.starts_with('.') || id.size() > kMostId) {
    refuse(fmt::format(
        "id is {}, expected up to {} letters, digits, - _ or ., not starting with a dot: "
        "it becomes the file name",
        shown(id), kMostId));
  }
}

}  // namespace

std::string ImageSource::name() const { return path.empty() ? "image" : path; }

std::vector<std::uint8_t> ImageSource::read() const {
  if (!path.empty()) {
    const std::string bytes = read_file(path, kMaxImageFileBytes);
    return {bytes.begin(), bytes.end()};
  }
  const std::string_view text = uri;
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || !text.substr(0, comma).ends_with(";base64"))
    refuse("an image's data: URI must be base64, such as data:image/png;base64,iVBOR...");
  return decode_base64(text.substr(comma + 1));
}

void Request::load_images() {
  const auto load = [](const ImageSource& source) {
    return Image::decode(source.read(), source.name());
  };
  job.images.clear();
  job.masks.clear();
  job.mix_images.clear();
  if (image) job.images.push_back(load(image));
  if (mask) job.masks.push_back(load(mask));
  for (const ImageSource& source : mix_images) job.mix_images.push_back(load(source));
  for (const auto& [option, source] : option_images)
    job.settings.set(option, std::vector{load(source)});
}

void choose_strength_under_mask(Settings& settings) {
  if (!settings.has("strength")) settings.set("strength", 1.0);
}

void RequestReader::set_defaults(const std::string& json, const std::string& name) {
  try {
    const Json object = parse_object(json);
    for (const char* own : {"id", "seed"}) {
      if (object.contains(own)) refuse(fmt::format("{}: must be set in each request", own));
    }
    Request request;
    request.job.settings = base_;
    Reading(request, folder_).read(object);
    request.job.settings.options("engine");
    request.job.settings.options("image_to_image");
  } catch (const StatusError& error) {
    throw StatusError(error.status(), fmt::format("{}: {}", name, error.what()));
  }
  defaults_ = json;
}

Request RequestReader::read(const std::string& json) const {
  Json object = Json::parse(defaults_);
  object.update(parse_object(json));
  Request request;
  request.job.settings = base_;
  Reading(request, folder_).read(object);
  check_whole(request);
  request.job.settings.options("engine");
  request.job.settings.options("image_to_image");
  return request;
}

std::string canonical(const Request& request,
                      const std::function<std::string(const ImageSource&)>& hash_of) {
  const Job& job = request.job;
  Json parts;
  for_each_option([&](const kandinsky_option_info& info) {
    // Of the engine's options only those meant to change images; weights are added separately.
    const bool is_engines = info.group == std::string_view(option_info("model_dir").group);
    const bool counts = !is_engines || info.name == std::string_view("precision") ||
                        info.name == std::string_view("int8_weights");
    const bool is_preset = info.name == std::string_view("preset");  // sets others
    if (counts && !is_preset && job.settings.is_changed(info.name))
      parts[info.name] = job.settings.text(info.name);
  });
  const auto add = [&](const char* name, const auto& value) {
    if (value) parts[name] = *value;
  };
  add("prompt", job.prompt);
  add("negative_prompt", job.negative_prompt);
  add("negative_prior_prompt", job.negative_prior_prompt);
  add("width", job.width);
  add("height", job.height);
  if (!job.seeds.empty()) parts["seed"] = job.seeds.front();
  if (!job.variation_seeds.empty()) parts["variation_seed"] = job.variation_seeds.front();
  if (request.image) parts["image"] = hash_of(request.image);
  if (request.mask) parts["mask"] = hash_of(request.mask);
  for (const auto& [option, source] : request.option_images) parts[option] = hash_of(source);
  std::size_t image = 0;
  for (const MixItem& item : job.mix) {
    switch (item.kind) {
      case MixItem::Kind::kText:
        parts["mix"].push_back({{"text", item.value}, {"weight", item.weight}});
        break;
      case MixItem::Kind::kImage:
        parts["mix"].push_back(
            {{"image", hash_of(request.mix_images[image++])}, {"weight", item.weight}});
        break;
      case MixItem::Kind::kEmbeds:
        parts["mix"].push_back(
            {{"embeds", hash_of({.path = item.value, .uri = {}})}, {"weight", item.weight}});
    }
  }
  if (job.slerp) parts["mix_method"] = "slerp";
  return parts.dump();
}

}  // namespace kandinsky::jobs
