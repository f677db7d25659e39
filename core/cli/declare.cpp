#include "cli/declare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <tuple>

#include "cli/arguments.h"
#include "cli/limits.h"
#include "cli/marked.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {

template <typename Read>
CLI::Option* OptionGroup::add(const std::string& name, const std::string& type,
                              const std::string& help, const Read& read) {
  const std::function<void(const std::string&)> function = [read](const std::string& given) {
    read(unmarked(given));
  };
  return command_.add_option_function(name, function, help)->type_name(type)->group(title_);
}

CLI::Option* OptionGroup::name(const std::string& name, std::string& target,
                               const std::string& type, const std::string& help) {
  return add(name, type, help, [&target](const std::string& given) { target = given; })
      ->default_str(target);
}

CLI::Option* OptionGroup::name(const std::string& name, std::optional<std::string>& target,
                               const std::string& type, const std::string& help) {
  return add(name, type, help, [&target](const std::string& given) { target = given; });
}

CLI::Option* OptionGroup::file(const std::string& name, std::string& target,
                               const std::string& type, const std::string& help) {
  return add(name, type, help, [=, &target](const std::string& given) {
    if (given.empty()) throw StatusError(KANDINSKY_INVALID_ARGUMENT, name + ": no name given");
    target = given;
  });
}

CLI::Option* OptionGroup::text(const std::string& name, std::optional<std::string>& target,
                               const std::string& help) {
  return add(name, "TEXT", help,
             [=, &target](const std::string& given) { target = parse_text(name, given); });
}

CLI::Option* OptionGroup::integer(const std::string& name, std::int32_t& target,
                                  std::int32_t lowest, std::int32_t highest,
                                  const std::string& help) {
  return add(name, "N", fmt::format("{} ({} to {})", help, lowest, highest),
             [=, &target](const std::string& given) {
               target = parse_integer(name, given, lowest, highest);
             })
      ->default_str(fmt::format("{}", target));
}

CLI::Option* OptionGroup::integer(const std::string& name, std::optional<std::int32_t>& target,
                                  std::int32_t lowest, std::int32_t highest,
                                  const std::string& help) {
  return add(name, "N", fmt::format("{} ({} to {})", help, lowest, highest),
             [=, &target](const std::string& given) {
               target = parse_integer(name, given, lowest, highest);
             });
}

CLI::Option* OptionGroup::number(const std::string& name, double& target, double lowest,
                                 double highest, const std::string& help) {
  return add(name, "X", fmt::format("{} ({} to {})", help, lowest, highest),
             [=, &target](const std::string& given) {
               target = parse_number(name, given, lowest, highest);
             })
      ->default_str(fmt::format("{}", target));
}

CLI::Option* OptionGroup::bytes(const std::string& name, std::uint64_t& target,
                                const std::string& help) {
  return add(name, "SIZE", help,
             [=, &target](const std::string& given) { target = parse_bytes(name, given); });
}

CLI::Option* OptionGroup::size(const std::string& name, std::int32_t& width, std::int32_t& height,
                               const std::string& help) {
  return add(name, "WxH", fmt::format("{} (1x1 to {}x{})", help, kMaxSide, kMaxSide),
             [=, &width, &height](const std::string& given) {
               std::tie(width, height) = parse_size(name, given);
             });
}

CLI::Option* OptionGroup::word(const std::string& name, std::string& target,
                               const std::vector<std::string>& words, const std::string& help) {
  return add(name, "NAME", fmt::format("{}: {}", help, fmt::join(words, ", ")),
             [=, &target](const std::string& given) { target = parse_word(name, given, words); })
      ->default_str(target);
}

CLI::Option* OptionGroup::flag(const std::string& name, bool& target, bool value,
                               const std::string& help) {
  return command_
      .add_flag_callback(
          name, [&target, value] { target = value; }, help)
      ->group(title_);
}

}  // namespace kandinsky::cli
