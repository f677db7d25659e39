#include "jobs/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/sha256.h"

namespace kandinsky::jobs {
namespace {

std::string digest(const Image& image) {
  Sha256 hash;
  hash.add(fmt::format("{}x{}x{}\n", image.width, image.height, image.channels));
  hash.add(image.pixels.data(), image.pixels.size());
  return std::string(view_of(hash.hex()));
}

}  // namespace

const kandinsky_option_info& option_info(const std::string& name) {
  static const std::map<std::string, kandinsky_option_info> all = [] {
    std::map<std::string, kandinsky_option_info> infos;
    for (const std::string& operation : operation_names()) {
      for (const kandinsky_option_info& info : option_infos(operation)) infos[info.name] = info;
    }
    return infos;
  }();
  const auto found = all.find(name);
  if (found != all.end()) return found->second;
  throw StatusError(KANDINSKY_INTERNAL, fmt::format("there is no option \"{}\"", name));
}

bool is_on(const kandinsky_option_info& info) {
  return std::string_view(info.default_value) == "true";
}

std::string flag_name(const kandinsky_option_info& info) {
  static const std::map<std::string, std::string> own{
      {"model_dir", "--model"},
      {"prior_dir", "--prior"},
      {"inpaint_dir", "--inpaint"},
      {"parse_weights", "--plain-prompt"},
      {"prior_num_inference_steps", "--prior-steps"},
      {"prior_guidance_scale", "--prior-cfg-scale"},
      {"num_inference_steps", "--steps"},
      {"guidance_scale", "--cfg-scale"},
      {"guidance_rescale", "--cfg-rescale"},
      {"erode_mask", "--no-erosion"},
  };
  const auto found = own.find(info.name);
  if (found != own.end()) return found->second;
  std::string name = info.name;
  std::ranges::replace(name, '_', '-');
  return (info.type == KANDINSKY_FLAG && is_on(info) ? "--no-" : "--") + name;
}

std::string Settings::default_text(const std::string& name) {
  const char* const value = option_info(name).default_value;
  return value == nullptr ? "" : value;
}

std::string Settings::derived_text(const std::string& name) const {
  if (option_info(name).default_value == nullptr) return "";
  constexpr const char* kMost = "image_to_image";  // has all options that are derived
  static const std::vector<kandinsky_option_info> infos = option_infos(kMost);
  Options options(kMost);
  bool is_derived = false;
  for (const char* const source : {"preset", "sigmas"}) {
    const auto found = values_.find(source);
    if (found == values_.end()) continue;
    options.set(source, std::get<std::string>(found->second));
    is_derived = std::ranges::any_of(infos, [&](const auto& info) { return name == info.name; });
  }
  return is_derived ? options.text(name) : default_text(name);
}

std::string Settings::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return derived_text(name);
  return std::visit(
      [](const auto& value) -> std::string {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>> ||
                      std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
          return fmt::format("{}", value);
        } else {
          return {};
        }
      },
      found->second);
}

double Settings::number(const std::string& name) const {
  const std::string written = text(name);
  double value = 0;
  std::from_chars(written.data(), written.data() + written.size(), value);
  return value;
}

std::string Settings::key(const std::string& operation) const {
  std::string key;
  for (const kandinsky_option_info& info : option_infos(operation)) {
    if (std::string_view(info.name) == "preset") continue;  // sets others
    const auto found = values_.find(info.name);
    if (found == values_.end()) {
      if (is_changed(info.name)) key += fmt::format("{}={}\n", info.name, text(info.name));
      continue;
    }
    std::visit(
        [&](const auto& value) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::vector<Image>>) {
            for (const Image& image : value)
              key += fmt::format("{}={}\n", info.name, digest(image));
          } else {
            key += fmt::format("{}={}\n", info.name, value);
          }
        },
        found->second);
  }
  return key;
}

Options Settings::options(const std::string& operation) const {
  Options options(operation);
  for (const kandinsky_option_info& info : option_infos(operation)) {
    const auto found = values_.find(info.name);
    if (found == values_.end()) continue;
    std::visit([&](const auto& value) { options.set(info.name, value); }, found->second);
  }
  return options;
}

}  // namespace kandinsky::jobs
