#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Declaring options. Each puts a checked value into its target, whose value at that time is the
/// default that the help shows; the target must outlive the parsing. Help texts are completed by
/// the range or the words. A value that does not fit throws StatusError(KANDINSKY_INVALID_ARGUMENT)
/// naming the option.
namespace kandinsky::cli {

/// Options that the help shows under one title.
class OptionGroup {
 public:
  OptionGroup(CLI::App& command, const std::string& title) : command_(command), title_(title) {}

  /// A name, of a file for instance: any bytes.
  CLI::Option* name(const std::string& name, std::string& target, const std::string& type,
                    const std::string& help);
  /// Tells an absent name from an empty one.
  CLI::Option* name(const std::string& name, std::optional<std::string>& target,
                    const std::string& type, const std::string& help);
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
  CLI::Option* number(const std::string& name, double& target, double lowest, double highest,
                      const std::string& help);
  /// A number of bytes with its unit, such as 3GB; the target's 0 stands for no limit.
  CLI::Option* bytes(const std::string& name, std::uint64_t& target, const std::string& help);
  /// "WxH", each 1 to 16384; both targets 0: off.
  CLI::Option* size(const std::string& name, std::int32_t& width, std::int32_t& height,
                    const std::string& help);
  /// One of `words`, in any case; the target gets the word as it is spelled there.
  CLI::Option* word(const std::string& name, std::string& target,
                    const std::vector<std::string>& words, const std::string& help);
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
