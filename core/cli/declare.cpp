#include "cli/declare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "cli/marked.h"
#include "jobs/settings.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

std::vector<std::string> words_of(const kandinsky_option_info& info) {
  return {info.words, info.words + info.word_count};
}

bool is_bytes(const kandinsky_option_info& info) { return std::string_view(info.unit) == "bytes"; }

/// Parses a command line argument as the option's value.
jobs::Settings::Value parse(const std::string& flag, const kandinsky_option_info& info,
                            const std::string& given) {
  switch (info.type) {
    case KANDINSKY_INTEGER:
      if (is_bytes(info)) return static_cast<std::int64_t>(parse_bytes(flag, given));
      return std::int64_t{parse_integer(flag, given, static_cast<std::int32_t>(info.minimum),
                                        static_cast<std::int32_t>(info.maximum))};
    case KANDINSKY_NUMBER:
      return parse_number(flag, given, info.minimum, info.maximum);
    case KANDINSKY_TEXTS: {
      std::vector<std::string> names;
      for (const std::string& name : split_list(given))
        names.push_back(parse_word(flag, name, words_of(info)));
      return names;
    }
    case KANDINSKY_TEXT:
      return info.word_count > 0 ? parse_word(flag, given, words_of(info))
                                 : parse_text(flag, given);
    default:
      return given;
  }
}

const char* value_name(const kandinsky_option_info& info) {
  switch (info.type) {
    case KANDINSKY_INTEGER:
      return is_bytes(info) ? "SIZE" : "N";
    case KANDINSKY_NUMBER:
      return "X";
    case KANDINSKY_PATH:
      return std::string_view(info.name).ends_with("_dir") ? "DIR" : "PATH";
    case KANDINSKY_TEXTS:
      return "NAMES";
    default:
      return "NAME";
  }
}

std::string help_of(const kandinsky_option_info& info) {
  std::string help = info.help;
  if (is_bytes(info)) return help + ". Such as 3GB or 2500MB";
  if (info.type == KANDINSKY_INTEGER || info.type == KANDINSKY_NUMBER)
    return fmt::format("{} ({} to {}{}{})", help, info.minimum, info.maximum,
                       *info.unit == '\0' ? "" : " ", info.unit);
  if (info.type == KANDINSKY_TEXTS) help += ", separated by commas";
  if (info.word_count > 0) help += fmt::format(". One of: {}", fmt::join(words_of(info), ", "));
  return help;
}

/// For a flag that turns its option off: the help's part about "off" comes first.
std::string help_of_off(const kandinsky_option_info& info) {
  constexpr std::string_view kOff = "; off: ";
  const std::string_view help = info.help;
  const std::size_t at = help.find(kOff);
  if (at == std::string_view::npos) return fmt::format("The opposite of: {}", help);
  std::string off(help.substr(at + kOff.size()));
  // Not std::toupper, which depends on the locale.
  if (off.front() >= 'a' && off.front() <= 'z')
    off.front() = static_cast<char>(off.front() - 'a' + 'A');
  return fmt::format("{}. Default: {}", off, help.substr(0, at));
}

/// Types whose value is one argument, and lists of known names.
bool is_for_a_flag(const kandinsky_option_info& info) {
  return info.type <= KANDINSKY_PATH || (info.type == KANDINSKY_TEXTS && info.word_count > 0);
}

}  // namespace

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& footer, const std::function<void()>& run) {
  CLI::App* const command = app.add_subcommand(name, description);
  if (!footer.empty()) command->footer(footer);
  command->callback(run);
  return *command;
}

void require(CLI::Option* option) { option->required(); }

CLI::Option* OptionGroup::setting(const std::string& option, jobs::Settings& settings) {
  const kandinsky_option_info& info = jobs::option_info(option);
  const std::string flag = jobs::flag_name(info);
  if (info.type == KANDINSKY_FLAG) {
    const bool value = !jobs::is_on(info);
    const std::string help = value ? info.help : help_of_off(info);
    return command_
        .add_flag_callback(
            flag, [&settings, option, value] { settings.set(option, value); }, help)
        ->group(title_);
  }
  CLI::Option* const added = add(flag, value_name(info), help_of(info),
                                 [&settings, &info, flag](const std::string& given) {
                                   settings.set(info.name, parse(flag, info, given));
                                 });
  if (!is_bytes(info)) added->default_str(settings.text(option));
  return added;
}

void OptionGroup::settings_of_group(const std::string& operation, jobs::Settings& settings,
                                    const std::vector<std::string>& except) {
  for (const kandinsky_option_info& info : option_infos(operation)) {
    const bool is_elsewhere = std::ranges::find(except, info.name) != except.end() ||
                              command_.get_option_no_throw(jobs::flag_name(info)) != nullptr;
    if (info.group == title_ && is_for_a_flag(info) && !is_elsewhere) setting(info.name, settings);
  }
}

template <typename Read>
CLI::Option* OptionGroup::add(const std::string& name, const std::string& type,
                              const std::string& help, const Read& read) {
  const std::function<void(const std::string&)> function = [read](const std::string& given) {
    read(unmarked(given));
  };
  return command_.add_option_function(name, function, help)->type_name(type)->group(title_);
}

CLI::Option* OptionGroup::repeated(const std::string& name, const std::string& option,
                                   const std::string& type, jobs::Settings& settings) {
  const std::function<void(const std::vector<std::string>&)> function =
      [=, &settings](const std::vector<std::string>& given) {
        std::vector<std::string> values;
        for (const std::string& value : given) values.push_back(parse_text(name, unmarked(value)));
        settings.set(option, values);
      };
  return command_.add_option_function(name, function, jobs::option_info(option).help)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name(type)
      ->group(title_);
}

CLI::Option* OptionGroup::name(const std::string& name, std::string& target,
                               const std::string& type, const std::string& help) {
  return add(name, type, help, [&target](const std::string& given) { target = given; })
      ->default_str(target);
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

CLI::Option* OptionGroup::size(const std::string& name, const std::string& width,
                               const std::string& height, jobs::Settings& settings) {
  const kandinsky_option_info& info = jobs::option_info(width);
  const auto most = static_cast<std::int32_t>(info.maximum);
  return add(name, "WxH", fmt::format("{} (1x1 to {}x{})", info.help, most, most),
             [=, &settings](const std::string& given) {
               const auto [w, h] = parse_size(name, given, most);
               settings.set(width, std::int64_t{w});
               settings.set(height, std::int64_t{h});
             });
}

CLI::Option* OptionGroup::flag(const std::string& name, bool& target, bool value,
                               const std::string& help) {
  return command_
      .add_flag_callback(
          name, [&target, value] { target = value; }, help)
      ->group(title_);
}

}  // namespace kandinsky::cli
