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

/// Declares commands and options without CLI11's headers, which take a compiler ten seconds. Each
/// option writes a checked value to its target, which must outlive the parsing.
/// The range or the words are appended to help texts. An invalid value throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT) naming the option.
namespace kandinsky::cli {

/// A command that calls `run`. Its help ends with `footer`; empty: with the application's footer.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& footer, const std::function<void()>& run);

/// Makes the option required.
void require(CLI::Option* option);

/// Options under one title in the help.
class OptionGroup {
 public:
  OptionGroup(CLI::App& command, const std::string& title) : command_(command), title_(title) {}

  /// One of the library's options, parsed by its type. The current value in `settings` is the
  /// default in the help.
  CLI::Option* setting(const std::string& option, jobs::Settings& settings);
  /// All of the library's options in this group, except lists and those already declared on the
  /// command.
  void settings_of_group(const std::string& operation, jobs::Settings& settings,
                         const std::vector<std::string>& except = {});

  /// A list option of the library; each occurrence adds a value.
  CLI::Option* repeated(const std::string& name, const std::string& option, const std::string& type,
                        jobs::Settings& settings);

  /// A name, for example of a file: any bytes.
  CLI::Option* name(const std::string& name, std::string& target, const std::string& type,
                    const std::string& help);
  /// A file name, which must not be empty: the job would silently run without the file.
  CLI::Option* file(const std::string& name, std::string& target, const std::string& type,
                    const std::string& help);
  /// UTF-8. Distinguishes an absent text from an empty one.
  CLI::Option* text(const std::string& name, std::optional<std::string>& target,
                    const std::string& help);
  CLI::Option* integer(const std::string& name, std::int32_t& target, std::int32_t lowest,
                       std::int32_t highest, const std::string& help);
  CLI::Option* integer(const std::string& name, std::optional<std::int32_t>& target,
                       std::int32_t lowest, std::int32_t highest, const std::string& help);
  /// "WxH": two of the library's options.
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
