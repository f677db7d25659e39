#include "tensor/adapters.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "io/input_file.h"
#include "io/json_config.h"
#include "tensor/bridge.h"
#include "tensor/convert.h"

namespace kandinsky::tensor {
namespace {

/// Absolute. Usual values are up to 2; far larger ones would overflow and look like
/// corrupt weights.
constexpr double kMaxWeight = 1000;

enum class Part : int { kDown, kUp, kAlpha };

/// Suffix of a tensor's name, and its replacement in the weight's name.
struct Ending {
  std::string_view text;
  Part part;
};

constexpr std::array kEndings{
    // PEFT
    Ending{".lora_A.weight", Part::kDown},
    Ending{".lora_A.default.weight", Part::kDown},
    Ending{".lora_B.weight", Part::kUp},
    Ending{".lora_B.default.weight", Part::kUp},
    // diffusers' layers of their own, and its attention processors once ".processor" is gone
    Ending{".lora.down.weight", Part::kDown},
    Ending{".lora.up.weight", Part::kUp},
    Ending{".lora_linear_layer.down.weight", Part::kDown},
    Ending{".lora_linear_layer.up.weight", Part::kUp},
    Ending{"_lora.down.weight", Part::kDown},
    Ending{"_lora.up.weight", Part::kUp},
    Ending{"_lora.alpha", Part::kAlpha},
    Ending{".alpha", Part::kAlpha},
};

/// Prefixes of trainers before a network's own names.
constexpr std::array<std::string_view, 4> kPrefixes{"base_model.model.", "unet.", "prior.",
                                                    "module."};

struct Place {
  std::string weight;  ///< the name of the weight that it changes
  Part part;
};

std::optional<Place> place_of(std::string_view name) {
  for (const std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  for (const Ending& ending : kEndings) {
    if (!name.ends_with(ending.text)) continue;
    std::string module(name.substr(0, name.size() - ending.text.size()));
    constexpr std::string_view kProcessor = ".processor.";
    const size_t processor = module.rfind(kProcessor);
    if (processor != std::string::npos) module.erase(processor, kProcessor.size() - 1);
    if (module.ends_with(".to_out")) module += ".0";
    return Place{module + ".weight", ending.part};
  }
  return std::nullopt;
}

/// The scale of pairs without an alpha of their own.
struct Scale {
  double alpha = 0;  ///< 0: the rank
  bool by_root = false;
};

/// From PEFT's settings, whose names diffusers writes with the network's in front.
Scale read_scale(const io::JsonConfig& settings) {
  Scale scale;
  for (const std::string_view key : settings.keys()) {
    const std::string_view name = key.substr(key.rfind('.') + 1);
    if (name == "lora_alpha") scale.alpha = settings.get_double(key);
    if (name == "use_rslora") scale.by_root = settings.get_bool(key);
    const bool has_more = (name == "use_dora" && settings.get_bool(key)) ||
                          (name == "alpha_pattern" && settings.is_object(key) &&
                           !settings.get_object(key).keys().empty());
    if (has_more) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: \"{}\" is not supported, only plain LoRA with one alpha",
                              settings.source(), key));
    }
  }
  return scale;
}

/// The file's own settings, or those beside it.
Scale read_scale(const io::TensorFile& file) {
  const std::string path(file.path());
  for (const io::MetadataEntry& entry : file.metadata()) {
    if (entry.key == "lora_adapter_metadata")
      return read_scale(io::JsonConfig::parse(entry.value, path));
  }
  const std::string beside = path.substr(0, path.rfind('/') + 1) + "adapter_config.json";
  return io::is_there(beside) ? read_scale(io::JsonConfig::load(beside)) : Scale{};
}

Span<const int64_t> without_trailing_ones(Span<const int64_t> shape) {
  while (shape.size() > 2 && shape.back() == 1) shape = shape.first(shape.size() - 1);
  return shape;
}

}  // namespace

AdapterChoice parse_adapter(std::string_view text) {
  AdapterChoice choice{.path = std::string(text)};
  // A name may have colons of its own.
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find('/', colon) == std::string_view::npos) {
    const std::string_view number = text.substr(colon + 1);
    double weight = 0;
    const auto [end, error] = std::from_chars(number.begin(), number.end(), weight);
    if (error != std::errc() || end != number.end() || !(std::abs(weight) <= kMaxWeight)) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("\"{}\": \"{}\" is no weight of a LoRA, expected FILE:WEIGHT such as "
                              "style.safetensors:0.8, with a weight from {} to {}",
                              text, number, -kMaxWeight, kMaxWeight));
    }
    choice = {.path = std::string(text.substr(0, colon)), .weight = weight};
  }
  if (choice.path.empty())
    throw Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\" names no LoRA file", text));
  return choice;
}

AdapterFile AdapterFile::open(const std::string& path) {
  AdapterFile adapter(path, io::open_weight_file(path));
  const auto fail = [&](ErrorCode code, const std::string& what) {
    throw Error(code, fmt::format("{}: {}", path, what));
  };
  for (const io::StoredTensor& stored : adapter.file_.tensors()) {
    const std::optional<Place> place = place_of(stored.name);
    if (!place) {
      fail(ErrorCode::kUnsupported,
           fmt::format("not a LoRA of diffusers or PEFT: nothing is known of its tensor '{}'",
                       stored.name));
    }
    AdapterPair& pair = adapter.pairs_[place->weight];
    if (place->part == Part::kAlpha) {
      if (stored.size != io::dtype_size(stored.dtype))
        fail(ErrorCode::kCorruptFile, fmt::format("'{}' is no single number", stored.name));
      pair.alpha = read_tensor(adapter.file_, stored).to(at::kDouble).item<double>();
      continue;
    }
    const io::StoredTensor*& half = place->part == Part::kDown ? pair.down : pair.up;
    if (half != nullptr)
      fail(ErrorCode::kCorruptFile,
           fmt::format("'{}' and '{}' are for the same weight", half->name, stored.name));
    half = &stored;
  }
  if (adapter.pairs_.empty()) fail(ErrorCode::kUnsupported, "not a LoRA: it holds no tensors");
  const Scale scale = read_scale(adapter.file_);
  adapter.key_ = fmt::format("{}, alpha {}{}", fmt::join(adapter.file_.file().state(), " "),
                             scale.alpha, scale.by_root ? " by root" : "");
  for (auto& [weight, pair] : adapter.pairs_) {
    if (pair.down == nullptr || pair.up == nullptr)
      fail(ErrorCode::kCorruptFile, fmt::format("the {} matrix for '{}' is missing",
                                                pair.down == nullptr ? "down" : "up", weight));
    const auto down = without_trailing_ones(pair.down->shape);
    const auto up = without_trailing_ones(pair.up->shape);
    if (down.size() != 2 || up.size() != 2 || down[0] != up[1] || down[0] == 0) {
      fail(ErrorCode::kCorruptFile,
           fmt::format("'{}' is [{}] and '{}' is [{}], which do not fit each other",
                       pair.down->name, fmt::join(down, ", "), pair.up->name, fmt::join(up, ", ")));
    }
    const auto rank = static_cast<double>(down[0]);
    const double alpha = pair.alpha != 0 ? pair.alpha : scale.alpha;
    if (alpha != 0) pair.scale = alpha / (scale.by_root ? std::sqrt(rank) : rank);
    if (!std::isfinite(pair.scale))
      fail(ErrorCode::kCorruptFile, fmt::format("alpha of '{}' is no finite number", weight));
  }
  return adapter;
}

at::Tensor AdapterFile::delta(const AdapterPair& pair) const {
  const auto matrix = [&](const io::StoredTensor& stored) {
    const auto shape = without_trailing_ones(stored.shape);
    return read_tensor(file_, stored).to(at::kFloat).view({shape[0], shape[1]});
  };
  const at::Tensor delta = at::mm(matrix(*pair.up), matrix(*pair.down)).mul_(pair.scale);
  if (is_finite(delta)) return delta;
  throw Error(ErrorCode::kCorruptFile,
              fmt::format("{}: '{}' and '{}' hold values that are not finite numbers; the file is "
                          "damaged",
                          path_, pair.down->name, pair.up->name));
}

void Adapters::know(std::string_view name, Span<const int64_t> shape, std::string_view folder) {
  known_.emplace(name, Known{.shape = {shape.begin(), shape.end()}, .folder = std::string(folder)});
}

void Adapters::check_fits(const AdapterFile& file) const {
  for (const auto& [weight, pair] : file.pairs()) {
    const auto found = known_.find(weight);
    if (found == known_.end()) {
      throw Error(ErrorCode::kIncompatible,
                  fmt::format("{}: a LoRA of another kind of model: there is no weight '{}', which "
                              "'{}' is for",
                              file.path(), weight, pair.down->name));
    }
    const std::array<int64_t, 2> shape{without_trailing_ones(pair.up->shape)[0],
                                       without_trailing_ones(pair.down->shape)[1]};
    const auto expected = without_trailing_ones(found->second.shape);
    if (std::equal(shape.begin(), shape.end(), expected.begin(), expected.end())) continue;
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{}: a LoRA of another model: it changes '{}' as [{}], but that of {} "
                            "is [{}]",
                            file.path(), weight, fmt::join(shape, ", "), found->second.folder,
                            fmt::join(expected, ", ")));
  }
}

void Adapters::choose(const std::vector<AdapterChoice>& choices) {
  std::vector<Chosen> chosen;
  for (const AdapterChoice& choice : choices) {
    // Also one that is open: it may have been written again.
    AdapterFile file = AdapterFile::open(choice.path);
    check_fits(file);
    chosen.push_back({.file = std::move(file), .weight = choice.weight});
  }
  chosen_ = std::move(chosen);
}

at::Tensor Adapters::delta(std::string_view name) const {
  at::Tensor sum;
  for (const Chosen& chosen : chosen_) {
    const auto found = chosen.file.pairs().find(name);
    if (found == chosen.file.pairs().end() || chosen.weight == 0) continue;
    const at::Tensor delta = chosen.file.delta(found->second).mul_(chosen.weight);
    sum = sum.defined() ? sum.add_(delta) : delta;
  }
  return sum;
}

std::string Adapters::key_for(const HasWeight& has) const {
  std::string key;
  for (const Chosen& chosen : chosen_) {
    for (const auto& [weight, pair] : chosen.file.pairs()) {
      if (!has(weight)) continue;
      key += fmt::format("{} times {}\n", chosen.file.key(), chosen.weight);
      break;
    }
  }
  return key;
}

}  // namespace kandinsky::tensor
