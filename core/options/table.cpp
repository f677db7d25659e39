#include "options/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/span.h"
#include "options/presets.h"
#include "options/types.h"
#include "samplers/sampler.h"
#include "samplers/schedulers.h"
#include "tensor/speedups.h"

namespace kandinsky::options {
namespace {

constexpr double kMostBytes = 9007199254740992.0;  ///< 2^53: integers below are exact as doubles

/// Per side: one for each of 64 images in each of 1000 steps, and some more.
constexpr double kMaxConditions = 65536;

struct Limits {
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  const std::vector<std::string>* names = nullptr;
};

/// The limits of the type itself.
template <typename Type>
constexpr double kMost = std::numeric_limits<double>::infinity();
template <>
constexpr double kMost<type::Texts> = kMaxBatchSize;
template <>
constexpr double kMost<type::Paths> = kMaxBatchSize;
template <>
constexpr double kMost<type::Seeds> = kMaxBatchSize;
template <>
constexpr double kMost<type::Images> = kMaxBatchSize;
template <>
constexpr double kMost<type::Conditions> = kMaxConditions;

Limits unlimited() { return {}; }
Limits range(double minimum, double maximum) { return {.minimum = minimum, .maximum = maximum}; }
Limits names_of(const std::vector<std::string>& (*names)()) { return {.names = &names()}; }

template <typename Type>
constexpr OptionType kType = OptionType::kText;  // a Word
template <>
constexpr OptionType kType<type::Flag> = OptionType::kFlag;
template <>
constexpr OptionType kType<type::Integer> = OptionType::kInteger;
template <>
constexpr OptionType kType<type::Bytes> = OptionType::kInteger;
template <>
constexpr OptionType kType<type::Number> = OptionType::kNumber;
template <>
constexpr OptionType kType<type::Text> = OptionType::kText;
template <>
constexpr OptionType kType<type::Path> = OptionType::kPath;
template <>
constexpr OptionType kType<type::OptionalPath> = OptionType::kPath;
template <>
constexpr OptionType kType<type::Texts> = OptionType::kTexts;
template <>
constexpr OptionType kType<type::Paths> = OptionType::kPaths;
template <>
constexpr OptionType kType<type::Seeds> = OptionType::kSeeds;
template <>
constexpr OptionType kType<type::Floats> = OptionType::kFloats;
template <>
constexpr OptionType kType<type::Images> = OptionType::kImages;
template <>
constexpr OptionType kType<type::Conditions> = OptionType::kConditions;

template <typename Value>
OptionField to_field(Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    return WordField{
        .value = &value,
        .set = [](void* to, size_t word) { *static_cast<Value*>(to) = static_cast<Value>(word); },
        .get = [](const void* of) { return static_cast<size_t>(*static_cast<const Value*>(of)); }};
  } else {
    return &value;
  }
}

template <typename Type>
OptionRow make_row(OptionGroup group, const char* name, const Limits& limits, const char* unit,
                   const char* help, const char* source, OptionField (*field)(OptionValues&)) {
  OptionRow row{.group = group,
                .type = kType<Type>,
                .name = name,
                .minimum = limits.minimum,
                .maximum = std::min(limits.maximum, kMost<Type>),
                .words = {},
                .unit = unit,
                .help = help,
                .source = source,
                .field = field,
                .default_value = {}};
  if constexpr (std::is_enum_v<typename Type::Value>) {
    row.words.assign(kWords<typename Type::Value>.begin(), kWords<typename Type::Value>.end());
  } else if (limits.names != nullptr) {
    for (const std::string& word : *limits.names) row.words.push_back(word.c_str());
  }
  OptionValues defaults;
  row.default_value = as_text(field(defaults), row.words);
  return row;
}

const std::vector<OptionRow>& rows() {
#define KANDINSKY_ROW(part, group, Type, name, value, limits, unit, help, source) \
  make_row<type::Type>(OptionGroup::group, #name, limits, unit, help, source,     \
                       [](OptionValues& values) { return to_field(values.part.name); }),
  static const std::vector<OptionRow> all{
#define ENGINE_ROW(...) KANDINSKY_ROW(engine, __VA_ARGS__)
#define PROMPT_ROW(...) KANDINSKY_ROW(prompt, __VA_ARGS__)
#define DENOISE_ROW(...) KANDINSKY_ROW(denoise, __VA_ARGS__)
#define SOURCE_ROW(...) KANDINSKY_ROW(source, __VA_ARGS__)
#include "options/options.def"
  };
#undef KANDINSKY_ROW
  return all;
}

template <typename Table>
std::vector<std::string> names_in(const Table& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.name);
  return names;
}

}  // namespace

std::optional<std::string> as_text(const OptionField& field,
                                   const std::vector<const char*>& words) {
  return std::visit(
      [&](const auto& value) -> std::optional<std::string> {
        using Pointer = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Pointer, WordField>) {
          return words[value.get(value.value)];
        } else if constexpr (std::is_same_v<Pointer, bool*> || std::is_same_v<Pointer, int*> ||
                             std::is_same_v<Pointer, int64_t*> ||
                             std::is_same_v<Pointer, double*> ||
                             std::is_same_v<Pointer, std::string*>) {
          return fmt::format("{}", *value);
        } else if constexpr (std::is_same_v<Pointer, std::vector<double>*>) {
          return fmt::format("{}", fmt::join(*value, ", "));
        } else {
          return std::nullopt;
        }
      },
      field);
}

const std::vector<std::string>& sampler_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = names_in(samplers::samplers());
    all.insert(all.begin(), kOwnSampler);
    return all;
  }();
  return names;
}

const std::vector<std::string>& scheduler_names() {
  static const std::vector<std::string> names = names_in(samplers::schedulers());
  return names;
}

const std::vector<std::string>& speedup_names() {
  static const std::vector<std::string> names = names_in(tensor::speedups());
  return names;
}

const std::vector<std::string>& precision_names() {
  static const std::vector<std::string> names{"auto", "fp32", "bf16", "fp16"};
  return names;
}

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = names_in(presets());
  return names;
}

const char* group_title(OptionGroup group) {
  constexpr std::array kTitles{"Model",   "Prompt", "Noise", "Size", "Sampling", "Noise",   "Image",
                               "Latents", "Image",  "Mask",  "Mask", "Hint",     "Sampling"};
  return kTitles[static_cast<size_t>(group)];
}

Span<const Operation> operations() {
  using enum OptionGroup;
  static const std::vector<Operation> all = [] {
    std::vector<Operation> operations{
        {"engine", {kModel}, {}},
        {"encode_prompts", {kPreset, kPrompt, kSeeds}, {}},
        {"denoise",
         {kPreset, kSeeds, kSize, kSampling, kNoise, kStart, kInpaint, kLatents, kHint},
         {}},
        {"decode", {kSize}, {}},
        {"encode", {kSize}, {}},
        {"text_to_image", {kPreset, kPrompt, kSeeds, kSize, kSampling, kNoise, kHint}, {}},
        {"image_to_image",
         {kPreset, kPrompt, kSeeds, kSize, kSampling, kNoise, kStart, kSource, kInpaint, kMask,
          kHint},
         {}},
        {"generate",
         {kPreset, kSeeds, kSize, kSampling, kNoise, kStart, kSource, kInpaint, kMask, kHint},
         {}},
    };
    for (Operation& operation : operations) {
      for (const OptionRow& row : rows()) {
        if (std::ranges::find(operation.groups, row.group) != operation.groups.end())
          operation.rows.push_back(&row);
      }
    }
    return operations;
  }();
  return all;
}

const Operation& find_operation(std::string_view name) {
  std::string known;
  for (const Operation& operation : operations()) {
    if (name == operation.name) return operation;
    known += (known.empty() ? "" : ", ") + std::string(operation.name);
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("there is no operation \"{}\", expected one of: {}", name, known));
}

}  // namespace kandinsky::options
