#include "options/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/ascii.h"
#include "base/edit_distance.h"
#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "io/images/image.h"
#include "options/presets.h"
#include "options/table.h"
#include "options/types.h"
#include "tensor/bridge.h"
#include "tensor/device.h"
#include "tensor/team.h"

namespace kandinsky::options {
namespace {

/// Latents lie within 30 or so, and samplers start from some hundreds.
constexpr float kLargestLatent = 1e4F;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

const char* type_name(OptionType type) {
  switch (type) {
    case OptionType::kFlag:
      return "a flag";
    case OptionType::kInteger:
      return "an integer";
    case OptionType::kNumber:
      return "a number";
    case OptionType::kText:
      return "a text";
    case OptionType::kPath:
      return "a path";
    case OptionType::kTexts:
      return "a list of texts";
    case OptionType::kSeeds:
      return "a list of seeds";
    case OptionType::kFloats:
      return "a list of floats";
    case OptionType::kImages:
      return "images";
    case OptionType::kConditions:
      return "conditions";
    case OptionType::kPaths:
      return "a list of paths";
  }
  return "";
}

/// Integers are compared as integers: above 2^53 they are not exact as doubles.
template <typename Value>
void check_range(const OptionRow& row, Value value) {
  // Also false for NaN.
  if (value >= static_cast<Value>(row.minimum) && value <= static_cast<Value>(row.maximum)) return;
  refuse(fmt::format("{} is {}{}{}, expected {} to {}", row.name, value,
                     *row.unit == '\0' ? "" : " ", row.unit, row.minimum, row.maximum));
}

/// The index of a word in its row, in any case.
size_t find_word(const OptionRow& row, std::string_view word) {
  const auto found =
      std::ranges::find_if(row.words, [&](const char* known) { return same_word(known, word); });
  if (found != row.words.end()) return static_cast<size_t>(found - row.words.begin());
  std::string known;
  for (const char* other : row.words)
    known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", other);
  refuse(fmt::format("{} is \"{}\", expected one of: {}", row.name, word, known));
}

void check_count(const OptionRow& row, size_t count) {
  if (static_cast<double>(count) > row.maximum)
    refuse(fmt::format("there are {} {}, expected at most {}", count, row.name, row.maximum));
}

bool is_between_numbers(char letter) { return letter == ',' || letter == ' '; }

std::vector<double> read_numbers(const OptionRow& row, std::string_view text) {
  std::vector<double> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    const char* const next = std::find_if_not(at, end, is_between_numbers);
    const bool is_inside = !numbers.empty() && next != end;
    if (std::count(at, next, ',') > (is_inside ? 1 : 0))
      refuse(fmt::format("{} has a comma with no number beside it", row.name));
    if (next == end) return numbers;
    at = next;
    double number = 0.0;
    const auto [after, error] = std::from_chars(at, end, number);
    if (error != std::errc() || !std::isfinite(number) ||
        (after != end && !is_between_numbers(*after))) {
      const char* const word_end = std::find_if(at, end, is_between_numbers);
      refuse(fmt::format("{} has \"{}\", expected numbers separated by commas", row.name,
                         std::string_view(at, std::min<size_t>(word_end - at, 32))));
    }
    numbers.push_back(number);
    at = after;
  }
}

void reset(const OptionRow& row, OptionValues& values, OptionValues& defaults) {
  std::visit(
      [](const auto& to, const auto& from) {
        if constexpr (std::is_same_v<decltype(to), decltype(from)>) {
          if constexpr (std::is_same_v<std::decay_t<decltype(to)>, WordField>) {
            to.set(to.value, from.get(from.value));
          } else {
            *to = *from;
          }
        }
      },
      row.field(values), row.field(defaults));
}

}  // namespace

void check_floats(const char* name, Span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    if (!std::isfinite(value))
      refuse(fmt::format("{} has values that are not finite numbers", name));
    largest = std::max(largest, std::abs(value));
  }
  if (largest > kLargestLatent) {
    refuse(fmt::format("{} has values up to {:g}, expected at most {:g}", name, largest,
                       kLargestLatent));
  }
}

const OptionValues& Options::values_for(std::string_view operation) const {
  if (operation == operation_.name) return values_;
  refuse(fmt::format("options of {} are needed, these are of {}", operation, operation_.name));
}

const OptionRow& Options::find(std::string_view name) const {
  const OptionRow* nearest = nullptr;
  size_t least = std::numeric_limits<size_t>::max();
  // Longer names than any option's are not compared.
  const std::string_view compared = name.substr(0, 64);
  for (const OptionRow* row : operation_.rows) {
    if (name == row->name) return *row;
    const size_t letters = edit_distance(compared, row->name);
    if (letters < least) {
      least = letters;
      nearest = row;
    }
  }
  refuse(fmt::format("{} has no option \"{}\"; did you mean \"{}\"?", operation_.name, compared,
                     nearest->name));
}

template <typename Value>
Value& Options::field(const OptionRow& row, const char* setter) {
  const OptionField field = row.field(values_);
  if (Value* const* value = std::get_if<Value*>(&field)) return **value;
  refuse(fmt::format("{} is {}, not {}", row.name, type_name(row.type), setter));
}

void Options::set_flag(std::string_view name, bool value) {
  const OptionRow& row = find(name);
  field<bool>(row, "a flag") = value;
  given_.insert(&row);
}

void Options::set_integer(std::string_view name, int64_t value) {
  const OptionRow& row = find(name);
  if (row.type == OptionType::kNumber) return set_number(name, static_cast<double>(value));
  const OptionField field_of = row.field(values_);
  if (int* const* small = std::get_if<int*>(&field_of)) {
    check_range(row, value);
    **small = static_cast<int>(value);
  } else {
    auto& to = field<int64_t>(row, "an integer");
    check_range(row, value);
    to = value;
  }
  given_.insert(&row);
}

void Options::set_number(std::string_view name, double value) {
  const OptionRow& row = find(name);
  auto& to = field<double>(row, "a number");
  check_range(row, value);
  to = value;
  given_.insert(&row);
}

void Options::set_text(std::string_view name, std::string_view value) {
  const OptionRow& row = find(name);
  assign_text(row, value);
  given_.insert(&row);
  derive();
}

void Options::assign_text(const OptionRow& row, std::string_view value) {
  if (row.type == OptionType::kText && find_invalid_utf8(value) != std::string_view::npos)
    refuse(fmt::format("{} is not UTF-8", row.name));
  const OptionField field_of = row.field(values_);
  if (const WordField* word = std::get_if<WordField>(&field_of)) {
    word->set(word->value, find_word(row, value));
  } else if (std::optional<std::string>* const* path =
                 std::get_if<std::optional<std::string>*>(&field_of)) {
    **path = value;
  } else if (std::vector<double>* const* numbers = std::get_if<std::vector<double>*>(&field_of)) {
    **numbers = read_numbers(row, value);
  } else {
    auto& to = field<std::string>(row, "a text");
    to = row.words.empty() ? value : row.words[find_word(row, value)];
  }
}

void Options::derive() {
  OptionValues defaults;
  for (const OptionRow* row : operation_.rows) {
    if (given_.contains(row)) continue;
    reset(*row, values_, defaults);
    for (const auto& [option, value] : find_preset(values_.denoise.preset).settings) {
      if (std::string_view(option) != row->name) continue;
      std::visit(
          [&](auto setting) {
            if constexpr (std::is_same_v<decltype(setting), const char*>) {
              assign_text(*row, setting);
            } else {
              field<decltype(setting)>(*row, "of the preset's type") = setting;
            }
          },
          value);
    }
    if (!values_.denoise.sigmas.empty() && row->name == std::string_view("num_inference_steps"))
      values_.denoise.num_inference_steps = static_cast<int>(values_.denoise.sigmas.size());
  }
}

std::string Options::text(std::string_view name) const {
  const OptionRow& row = find(name);
  // A field is a pointer that could be written through; here it is only read.
  const OptionField field = row.field(const_cast<OptionValues&>(values_));
  if (std::optional<std::string> text = as_text(field, row.words)) return *text;
  refuse(fmt::format("{} is {}, which cannot be set from a text", row.name, type_name(row.type)));
}

void Options::set_texts(std::string_view name, std::vector<std::string> values) {
  const OptionRow& row = find(name);
  auto& to = field<std::vector<std::string>>(row, "a list of texts");
  check_count(row, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (row.type == OptionType::kTexts && find_invalid_utf8(values[i]) != std::string_view::npos)
      refuse(fmt::format("{}[{}] is not UTF-8", row.name, i));
    if (!row.words.empty()) values[i] = row.words[find_word(row, values[i])];
  }
  to = std::move(values);
  given_.insert(&row);
}

void Options::set_seeds(std::string_view name, std::vector<uint64_t> values) {
  const OptionRow& row = find(name);
  auto& to = field<std::vector<uint64_t>>(row, "a list of seeds");
  check_count(row, values.size());
  to = std::move(values);
  given_.insert(&row);
}

void Options::set_floats(std::string_view name, Span<const float> values,
                         const std::array<int64_t, 4>& shape) {
  const OptionRow& row = find(name);
  auto& to = field<at::Tensor>(row, "a list of floats");
  check_floats(row.name, values);
  given_.insert(&row);
  if (values.empty()) {
    to = at::Tensor();
    return;
  }
  const tensor::TeamGuard team;
  const tensor::JobGuard guard;
  to = tensor::from_floats(values.data(), shape);
}

void Options::set_images(std::string_view name, std::vector<io::Image> values) {
  const OptionRow& row = find(name);
  auto& to = field<std::vector<io::Image>>(row, "images");
  check_count(row, values.size());
  for (size_t i = 0; i < values.size(); ++i)
    io::check_image(values[i], fmt::format("{}[{}]", row.name, i));
  to = std::move(values);
  given_.insert(&row);
}

void Options::set_conditions(std::string_view name, std::vector<Condition> values) {
  const OptionRow& row = find(name);
  auto& to = field<std::vector<Condition>>(row, "conditions");
  check_count(row, values.size());
  to = std::move(values);
  given_.insert(&row);
}

}  // namespace kandinsky::options
