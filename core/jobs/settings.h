#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kandinsky.hpp"

namespace kandinsky::jobs {

/// The description of an option of the engine or of a task. Throws StatusError for another name.
const kandinsky_option_info& option_info(const std::string& name);

/// Whether a flag is on by default.
bool is_on(const kandinsky_option_info& info);

/// The command line's flag of one of the library's options: with the hosts' name, if there is one.
std::string flag_name(const kandinsky_option_info& info);

/// Values of the library's options, by name.
class Settings {
 public:
  using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>,
                             std::vector<std::uint64_t>, std::vector<Image>>;

  void set(const std::string& name, Value value) { values_[name] = std::move(value); }

  bool has(const std::string& name) const { return values_.count(name) > 0; }

  /// Whether it was set to a value other than the default.
  bool is_changed(const std::string& name) const { return text(name) != default_text(name); }

  /// As text, e.g. "7.5" or "true". If not set: the preset's value, or the default.
  std::string text(const std::string& name) const;

  double number(const std::string& name) const;

  /// Of a list option of images that was set.
  const std::vector<Image>& images(const std::string& name) const {
    return std::get<std::vector<Image>>(values_.at(name));
  }

  /// A canonical text of all options of an operation that were set.
  std::string key(const std::string& operation) const;

  /// Options of the operation; those not set keep their defaults.
  Options options(const std::string& operation) const;

 private:
  static std::string default_text(const std::string& name);
  /// The library's value of an option that was not set.
  std::string derived_text(const std::string& name) const;

  std::map<std::string, Value> values_;
};

}  // namespace kandinsky::jobs
