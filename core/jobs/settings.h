#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "kandinsky.hpp"

namespace kandinsky::jobs {

/// What is known about an option of the engine or of a task. Throws StatusError for any other name.
const kandinsky_option_info& option_info(const std::string& name);

/// Whether a flag is on by default.
bool is_on(const kandinsky_option_info& info);

/// The command line's name of one of the library's options: in its words, where hosts have some.
std::string flag_name(const kandinsky_option_info& info);

/// Values of the library's options, by name.
class Settings {
 public:
  using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>,
                             std::vector<std::uint64_t>, std::vector<Image>>;

  void set(const std::string& name, Value value) { values_[name] = std::move(value); }

  bool has(const std::string& name) const { return values_.count(name) > 0; }

  /// Whether it was set to something else than the default.
  bool is_changed(const std::string& name) const { return text(name) != default_text(name); }

  /// As text, e.g. "7.5" or "true". What was not set has its default, or what the preset says.
  std::string text(const std::string& name) const;

  double number(const std::string& name) const;

  /// Of an option that is a list of images and was set.
  const std::vector<Image>& images(const std::string& name) const {
    return std::get<std::vector<Image>>(values_.at(name));
  }

  /// All that was set of an operation's options, as text that is the same for the same values.
  std::string key(const std::string& operation) const;

  /// Those that the operation has; the others keep their defaults.
  Options options(const std::string& operation) const;

 private:
  static std::string default_text(const std::string& name);
  /// What the library makes of an option that was not set.
  std::string derived_text(const std::string& name) const;

  std::map<std::string, Value> values_;
};

}  // namespace kandinsky::jobs
