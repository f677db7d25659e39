#include "cli/settings.h"

#include <fmt/format.h>

#include <charconv>
#include <type_traits>

namespace kandinsky::cli {

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

std::string Settings::default_text(const std::string& name) {
  const char* const value = option_info(name).default_value;
  return value == nullptr ? "" : value;
}

std::string Settings::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return default_text(name);
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

Options Settings::options(const std::string& operation) const {
  Options options(operation);
  for (const kandinsky_option_info& info : option_infos(operation)) {
    const auto found = values_.find(info.name);
    if (found == values_.end()) continue;
    std::visit([&](const auto& value) { options.set(info.name, value); }, found->second);
  }
  return options;
}

}  // namespace kandinsky::cli
