/// Options by name, checked as they are set.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "io/images/image.h"
#include "options/table.h"
#include "options/types.h"

namespace kandinsky::options {

/// Throws Error(kInvalidArgument) for numbers that are not finite or out of the range of latents.
void check_floats(const char* name, Span<const float> values);

/// The options of one operation. All setters copy, and throw Error(kInvalidArgument) for an unknown
/// name, with the nearest one, for a value of a wrong type, and for one out of range. Conditions on
/// several options or on the model are checked by the job. Options that are not set have the value
/// of the preset or the sigmas, if these are set, else their default.
class Options {
 public:
  explicit Options(std::string_view operation) : operation_(find_operation(operation)) {}

  void set_flag(std::string_view name, bool value);
  void set_integer(std::string_view name, int64_t value);  ///< also sets a number
  void set_number(std::string_view name, double value);
  /// texts, paths, words and lists of numbers
  void set_text(std::string_view name, std::string_view value);
  void set_texts(std::string_view name, std::vector<std::string> values);
  void set_seeds(std::string_view name, std::vector<uint64_t> values);
  /// [batch, channels, height, width]; none: the default
  void set_floats(std::string_view name, Span<const float> values,
                  const std::array<int64_t, 4>& shape);
  void set_images(std::string_view name, std::vector<io::Image> values);
  void set_conditions(std::string_view name, std::vector<Condition> values);

  /// The value in the form of OptionRow::default_value. Also throws for an option without a text
  /// form.
  std::string text(std::string_view name) const;

  const Operation& operation() const { return operation_; }
  const OptionValues& values() const { return values_; }

  /// Throws Error(kInvalidArgument) unless they are options of that operation.
  const OptionValues& values_for(std::string_view operation) const;

 private:
  const OptionRow& find(std::string_view name) const;
  template <typename Value>
  Value& field(const OptionRow& row, const char* setter);
  void assign_text(const OptionRow& row, std::string_view value);
  /// Sets options that follow from those that the caller set.
  void derive();

  const Operation& operation_;
  OptionValues values_;
  std::set<const OptionRow*> given_;  ///< set by the caller
};

}  // namespace kandinsky::options
