#include "io/model_dir.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/utf8.h"
#include "io/input_file.h"
#include "io/io_error.h"
#include "io/json_config.h"
#include "io/model_neighbours.h"

namespace kandinsky::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexName = "model_index.json";
constexpr std::array<std::string_view, 4> kConfigNames = {
    "config.json", "scheduler_config.json", "tokenizer_config.json", "preprocessor_config.json"};

/// Names of weight files in diffusers and transformers.
struct WeightNames {
  std::string_view suffix;
  std::array<std::string_view, 2> stems;
};

constexpr std::array kWeightNames = {
    WeightNames{".safetensors", {"diffusion_pytorch_model", "model"}},
    WeightNames{".bin", {"diffusion_pytorch_model", "pytorch_model"}},
};

/// False for control characters, since these words are shown on a terminal.
bool is_plain_text(std::string_view text) { return quote_controls(text).size() == text.size(); }

/// Also false for names that would lead out of the folder, since they are untrusted.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && is_plain_text(name) &&
         name.find_first_of("/\\") == std::string_view::npos;
}

std::string without_trailing_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return std::string(path);
}

std::vector<std::string> pickle_files(const std::string& folder) {
  std::vector<std::string> result;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string suffix = it->path().extension().string();
    if (suffix == ".bin" || suffix == ".ckpt" || suffix == ".th" || suffix == ".pt" ||
        suffix == ".pth") {
      result.push_back(it->path().filename().string());
    }
  }
  std::ranges::sort(result);
  return result;
}

/// The files of a shard index, each checked to exist.
std::vector<std::string> shards(const std::string& folder, const std::string& index_path,
                                std::string_view suffix) {
  const JsonConfig map = JsonConfig::load(index_path).get_object("weight_map");
  std::set<std::string> names;
  for (const std::string_view tensor : map.keys()) {
    const std::string_view name = map.get_string_view(tensor);
    if (!is_plain_name(name) || !name.ends_with(suffix)) {
      throw Error(ErrorCode::kCorruptFile,
                  fmt::format("{}: '{}' is not the name of a {} file in the same folder",
                              index_path, name, suffix));
    }
    names.emplace(name);
  }
  if (names.empty()) {
    throw Error(ErrorCode::kCorruptFile, fmt::format("{}: 'weight_map' is empty", index_path));
  }
  if (names.size() > limits::kMaxWeightFiles) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: lists {} files, at most {} are allowed", index_path, names.size(),
                            limits::kMaxWeightFiles));
  }
  std::vector<std::string> result;
  for (const std::string& name : names) {
    result.push_back(fmt::format("{}/{}", folder, name));
    if (!is_there(result.back())) {
      throw Error(ErrorCode::kNotFound,
                  fmt::format("{}: the file '{}' that it lists is missing; perhaps an incomplete "
                              "download",
                              index_path, name));
    }
  }
  return result;
}

/// tag: of the variant, with its dot. Empty when the folder has no weights of that variant.
std::vector<std::string> weights_of_variant(const std::string& folder, const WeightNames& names,
                                            std::string_view tag) {
  for (const std::string_view stem : names.stems) {
    std::string single = fmt::format("{}/{}{}{}", folder, stem, tag, names.suffix);
    if (is_there(single)) return {std::move(single)};
  }
  for (const std::string_view stem : names.stems) {
    const std::string index = fmt::format("{}/{}{}.index{}.json", folder, stem, names.suffix, tag);
    if (is_there(index)) return shards(folder, index, names.suffix);
  }
  return {};
}

std::vector<std::string> find_weights(const std::string& folder) {
  for (const WeightNames& names : kWeightNames) {
    for (const std::string_view tag : {"", ".fp16"}) {
      std::vector<std::string> found = weights_of_variant(folder, names, tag);
      if (!found.empty()) return found;
    }
  }
  return {};
}

}  // namespace

struct ComponentFiles::Impl {
  std::string folder;
  std::string config_path;
  std::vector<std::string> weight_paths;
  std::vector<std::string_view> weights;
};

ComponentFiles::ComponentFiles(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

std::string_view ComponentFiles::folder() const noexcept { return impl_->folder; }

std::string_view ComponentFiles::config_path() const noexcept { return impl_->config_path; }

Span<const std::string_view> ComponentFiles::weights() const noexcept { return impl_->weights; }

struct ModelDir::Replacements {
  struct Row {
    std::string role;
    std::string component;
    std::string path;
  };
  std::vector<Row> rows;
};

struct ModelDir::Impl {
  explicit Impl(JsonConfig parsed) : index(std::move(parsed)) {}

  JsonConfig index;
  std::string path;
  std::string name;
  bool is_cached = false;
  std::string role;  ///< of the folder, as in replacements
  std::string_view pipeline_class;
  std::vector<ComponentInfo> components;

  std::string index_path() const { return fmt::format("{}/{}", path, kIndexName); }
};

ModelDir::ModelDir(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

ModelDir ModelDir::open(std::string_view path) {
  check_path(path, "a model folder");
  const std::string folder = without_trailing_slashes(path);
  if (!is_there(folder))
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such model folder", folder));
  if (!is_folder(folder)) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: is a file; expected a model folder with a {}", folder, kIndexName));
  }
  const std::string index_path = fmt::format("{}/{}", folder, kIndexName);
  if (!is_there(index_path)) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: no {} in it, so it is no model folder in diffusers' folder layout",
                            folder, kIndexName));
  }
  auto impl = std::make_shared<Impl>(JsonConfig::load(index_path));
  impl->path = folder;
  std::error_code error;
  fs::path resolved = fs::canonical(folder, error);
  if (error) resolved = folder;
  const std::string repository = cached_repository(resolved);
  impl->is_cached = !repository.empty();
  impl->name = impl->is_cached ? repository : resolved.filename().string();
  const auto check_class = [&](std::string_view name) {
    if (is_plain_text(name)) return;
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: '{}' cannot be the name of a class", index_path, name));
  };
  impl->pipeline_class = impl->index.get_string_view("_class_name");
  check_class(impl->pipeline_class);
  for (const std::string_view key : impl->index.keys()) {
    // Settings of the pipeline itself, such as "_diffusers_version" and "requires_safety_checker".
    if (key.starts_with('_') || !impl->index.is_list(key)) continue;
    const std::vector<std::string_view> entry = impl->index.get_string_views(key);
    if (entry.empty()) continue;  // [null, null]: an optional component that this model lacks
    if (entry.size() != 2) {
      throw Error(ErrorCode::kCorruptFile,
                  fmt::format("{}: '{}' has {} entries, expected [library, class]", index_path, key,
                              entry.size()));
    }
    if (!is_plain_name(key)) {
      throw Error(
          ErrorCode::kCorruptFile,
          fmt::format("{}: '{}' cannot be the name of a component's folder", index_path, key));
    }
    check_class(entry[1]);
    impl->components.push_back({key, entry[0], entry[1]});
  }
  return ModelDir(std::move(impl));
}

std::string_view ModelDir::path() const noexcept { return impl_->path; }

std::string_view ModelDir::name() const noexcept { return impl_->name; }

bool ModelDir::is_cached() const noexcept { return impl_->is_cached; }

std::string_view ModelDir::pipeline_class() const noexcept { return impl_->pipeline_class; }

Span<const ComponentInfo> ModelDir::components() const noexcept { return impl_->components; }

const ComponentInfo* ModelDir::find(std::string_view component) const noexcept {
  for (const ComponentInfo& info : impl_->components) {
    if (info.name == component) return &info;
  }
  return nullptr;
}

ModelDir ModelDir::with(Span<const Replacement> replacements) const {
  auto kept = std::make_shared<Replacements>();
  for (const auto& [role, component, path] : replacements)
    kept->rows.push_back({std::string(role), std::string(component), std::string(path)});
  ModelDir changed = *this;
  changed.replacements_ = std::move(kept);
  return changed;
}

ModelDir ModelDir::companion(std::string_view path, std::string_view role) const {
  ModelDir folder = open(path);
  auto impl = std::make_shared<Impl>(*folder.impl_);
  impl->role = std::string(role);
  folder.impl_ = std::move(impl);
  folder.replacements_ = replacements_;
  return folder;
}

std::string_view ModelDir::replaced(std::string_view component) const {
  if (replacements_ == nullptr) return {};
  for (const Replacements::Row& row : replacements_->rows) {
    if (row.role == impl_->role && row.component == component) return row.path;
  }
  return {};
}

ComponentFiles ModelDir::component(std::string_view component) const {
  if (find(component) == nullptr) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: lists no component '{}'", impl_->index_path(), component));
  }
  return files_of(component);
}

JsonConfig ModelDir::config(std::string_view component) const {
  return JsonConfig::load(this->component(component).config_path());
}

std::optional<ComponentFiles> ModelDir::optional_component(std::string_view component) const {
  if (!is_folder(fmt::format("{}/{}", impl_->path, component))) return std::nullopt;
  return files_of(component);
}

ComponentFiles ModelDir::files_of(std::string_view component) const {
  auto files = std::make_shared<ComponentFiles::Impl>();
  files->folder = fmt::format("{}/{}", impl_->path, component);
  const std::string_view elsewhere = replaced(component);
  if (!elsewhere.empty() && is_folder(elsewhere)) {
    files->folder = without_trailing_slashes(elsewhere);
    // For a whole model, its component.
    if (is_there(fmt::format("{}/{}", files->folder, kIndexName)))
      return open(files->folder).component(component);
  }
  if (!is_folder(files->folder)) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: the folder of component '{}' is missing; perhaps an incomplete "
                            "download",
                            impl_->path, component));
  }
  for (const std::string_view name : kConfigNames) {
    std::string config = fmt::format("{}/{}", files->folder, name);
    if (is_there(config)) {
      files->config_path = std::move(config);
      break;
    }
  }
  if (files->config_path.empty()) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: component '{}' has none of {}", files->folder, component,
                            fmt::join(kConfigNames, ", ")));
  }
  const ComponentInfo* const info = find(component);
  if (!elsewhere.empty() && info != nullptr) {
    const JsonConfig config = JsonConfig::load(files->config_path);
    const std::string_view name = config.get_string_view("_class_name", info->class_name);
    if (name != info->class_name) {
      throw Error(ErrorCode::kIncompatible,
                  fmt::format("{}: is a {}, but the {} of {} is a {}", files->folder, name,
                              component, impl_->path, info->class_name));
    }
  }
  return ComponentFiles(std::move(files));
}

ComponentFiles ModelDir::weights(std::string_view component) const {
  const ComponentFiles found = this->component(component);
  auto files = std::make_shared<ComponentFiles::Impl>(*found.impl_);
  const std::string_view elsewhere = replaced(component);
  if (!elsewhere.empty() && !is_folder(elsewhere)) {
    if (!is_there(elsewhere)) {
      throw Error(ErrorCode::kNotFound,
                  fmt::format("{}: no such file or folder, from which the {} was to be taken",
                              elsewhere, component));
    }
    // Messages then name the file that does not fit.
    files->folder = std::string(elsewhere);
    files->weight_paths = {files->folder};
    files->weights.assign(files->weight_paths.begin(), files->weight_paths.end());
    return ComponentFiles(std::move(files));
  }
  files->weight_paths = find_weights(files->folder);
  if (files->weight_paths.empty()) {
    const std::vector<std::string> others = pickle_files(files->folder);
    if (!others.empty()) {
      throw Error(
          ErrorCode::kUnsupported,
          fmt::format("{}: component '{}' has no weights under a name that diffusers gives "
                      "them; {} may be renamed to {}.bin, or converted with `kandinsky "
                      "convert`",
                      files->folder, component, fmt::join(others, ", "), kWeightNames[1].stems[0]));
    }
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: component '{}' has no weights: expected {}.safetensors or "
                            "{}.safetensors, an fp16 variant, a shard index, or {}.bin",
                            files->folder, component, kWeightNames[0].stems[0],
                            kWeightNames[0].stems[1], kWeightNames[1].stems[0]));
  }
  files->weights.assign(files->weight_paths.begin(), files->weight_paths.end());
  return ComponentFiles(std::move(files));
}

}  // namespace kandinsky::io
