#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "jobs/settings.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// Declaring commands and options without CLI11's headers, which cost a compiler ten seconds. Each
/// option puts a checked value into its target, which must outlive the parsing.
/// Help texts are completed by the range or the words. A value that does not fit throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT) naming the option.
namespace kandinsky::cli {

/// A command of the application, which does `run`. The help ends with `footer`; empty: with the
/// application's own.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& footer, const std::function<void()>& run);

/// Makes it an option that must be given.
void require(CLI::Option* option);

/// Options that the help shows under one title.
class OptionGroup {
 public:
  OptionGroup(CLI::App& command, const std::string& title) : command_(command), title_(title) {}

  /// One of the library's options, as its type wants it. What the settings hold then is the default
  /// that the help shows.
  CLI::Option* setting(const std::string& option, jobs::Settings& settings);
  /// All of the library's that belong to this group but lists and those that are declared on the
  /// command already.
  void settings_of_group(const std::string& operation, jobs::Settings& settings,
                         const std::vector<std::string>& except = {});

  /// A list of the library's, one value each time that it is given.
  CLI::Option* repeated(const std::string& name, const std::string& option, const std::string& type,
                        jobs::Settings& settings);

  /// A name, of a file for instance: any bytes.
  CLI::Option* name(const std::string& name, std::string& target, const std::string& type,
                    const std::string& help);
  /// A file's name, which must not be empty: a job would do without the file, and nobody would
  /// know.
  CLI::Option* file(const std::string& name, std::string& target, const std::string& type,
                    const std::string& help);
  /// UTF-8. Tells an absent text from an empty one.
  CLI::Option* text(const std::string& name, std::optional<std::string>& target,
                    const std::string& help);
  CLI::Option* integer(const std::string& name, std::int32_t& target, std::int32_t lowest,
                       std::int32_t highest, const std::string& help);
  CLI::Option* integer(const std::string& name, std::optional<std::int32_t>& target,
                       std::int32_t lowest, std::int32_t highest, const std::string& help);
  /// "WxH", two settings of the library's.
  CLI::Option* size(const std::string& name, const std::string& width, const std::string& height,
                    jobs::Settings& settings);
  /// Sets the target to `value`.
  CLI::Option* flag(const std::string& name, bool& target, bool value, const std::string& help);

 private:
  template <typename Read>
  CLI::Option* add(const std::string& name, const std::string& type, const std::string& help,
                   const Read& read);
  CLI::App& command_;
  std::string title_;
};

}  // namespace kandinsky::cli
