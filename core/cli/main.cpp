#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/marked.h"
#include "cli/session.h"
#include "cli/streams.h"
#include "kandinsky.hpp"

namespace {

constexpr int kOtherFailure = 1;
constexpr const char* kOutOfMemory =
    "out of memory; try smaller or fewer images, or close other programs";

/// 1 + status; 1 is for other failures. See the help text.
int exit_code(kandinsky_status status) { return 1 + static_cast<int>(status); }

int fail(int code, std::string_view message) noexcept {
  kandinsky::cli::say_line(message);
  return code;
}

bool is_out_of_memory(const std::system_error& error) noexcept {
  // The error of starting a thread without memory for its stack.
  return error.code() == std::errc::resource_unavailable_try_again ||
         error.code() == std::errc::not_enough_memory;
}

/// Prints the exception that is being handled and returns the exit code.
int fail_with_current_exception() noexcept {
  try {
    throw;
  } catch (const kandinsky::cli::Stopped& stopped) {
    constexpr int kSignal = 128;  // as shells show it
    return fail(kSignal + stopped.signal(), stopped.what());
  } catch (const kandinsky::StatusError& error) {
    return fail(exit_code(error.status()), error.what());
  } catch (const std::bad_alloc&) {
    return fail(exit_code(KANDINSKY_OUT_OF_MEMORY), kOutOfMemory);
  } catch (const std::system_error& error) {
    return is_out_of_memory(error) ? fail(exit_code(KANDINSKY_OUT_OF_MEMORY), kOutOfMemory)
                                   : fail(kOtherFailure, error.what());
  } catch (const std::exception& error) {
    return fail(kOtherFailure, error.what());
  } catch (...) {
    return fail(exit_code(KANDINSKY_INTERNAL), "unknown exception");
  }
}

/// For exceptions that nothing can catch, such as on a library's thread.
[[noreturn]] void end_with_exit_code() noexcept {
  std::_Exit(std::current_exception()
                 ? fail_with_current_exception()
                 : fail(exit_code(KANDINSKY_INTERNAL), "the program ended itself"));
}

void set_terminate_handler() { std::set_terminate(end_with_exit_code); }

/// Runs before the libraries are initialized: LibTorch may run out of memory already then.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kBeforeLibraries)() = set_terminate_handler;

/// Newer versions of CLI11 would rewrap the footers, including the examples.
template <typename Formatter>
std::shared_ptr<Formatter> with_plain_footers(std::shared_ptr<Formatter> formatter) {
  if constexpr (requires { formatter->enable_footer_formatting(false); })
    formatter->enable_footer_formatting(false);
  return formatter;
}

int run(int argc, char** argv) {
  CLI::App app("Kandinsky generates images from texts and images.", "kandinsky");
  app.set_version_flag("--version", fmt::format("kandinsky {} (LibTorch {})", kandinsky_version(),
                                                kandinsky_torch_version()));
  app.formatter(with_plain_footers(std::make_shared<CLI::Formatter>()));  // of the commands, too
  app.require_subcommand(1);
  app.footer(
      "`kandinsky COMMAND --help` lists a command's options.\n\n"
      "Example:\n"
      "  kandinsky txt2img --model models/Kandinsky/kandinsky-2-1 --prompt \"a red circle\" \\\n"
      "      --output circle.png\n\n"
      "Exit codes:\n"
      "  0    done\n"
      "  1    any other failure\n"
      "  2    a wrong argument\n"
      "  3    a folder, file or component is missing\n"
      "  4    a file is corrupt\n"
      "  5    not supported\n"
      "  6    out of memory\n"
      "  8    busy\n"
      "  9    incompatible folders, files or library versions\n"
      "  10   internal error, please report it\n"
      "  11   a file cannot be read or written, for example on a full disk\n"
      "  129  stopped by SIGHUP, for example when the terminal is closed\n"
      "  130  stopped by SIGINT: Ctrl-C\n"
      "  141  stopped by SIGPIPE\n"
      "  143  stopped by SIGTERM\n"
      "  152  stopped by SIGXCPU: ulimit -t\n"
      "A stopped job saves nothing and leaves no files; a stopped batch keeps finished images.\n"
      "A second signal ends the program at once. If standard output cannot be written, images\n"
      "are saved before the program fails. Every failure prints one line to standard error.");
  kandinsky::cli::add_txt2img(app);
  kandinsky::cli::add_img2img(app);
  kandinsky::cli::add_inpaint(app);
  kandinsky::cli::add_mix(app);
  kandinsky::cli::add_batch(app);
  kandinsky::cli::add_serve(app);
  kandinsky::cli::add_convert(app);
  kandinsky::cli::add_info(app);
  kandinsky::cli::add_samplers(app);
  kandinsky::cli::add_schedulers(app);
  kandinsky::cli::add_speedups(app);
  if (argc <= 1) {
    kandinsky::cli::say(app.help() + "\n");
    return fail(exit_code(KANDINSKY_INVALID_ARGUMENT), "a command is needed, such as txt2img");
  }
  const auto is_named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
    return fail(exit_code(KANDINSKY_INVALID_ARGUMENT),
                fmt::format("there is no command \"{}\" (kandinsky --help lists them)", argv[1]));
  }
  const std::vector<std::string> words = kandinsky::cli::marked(argc, argv);
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  try {
    app.parse(argc, pointers.data());
  } catch (const CLI::Success& wish) {  // --help and --version
    std::ostringstream text;
    app.exit(wish, text, text);
    kandinsky::cli::print(text.str());
  } catch (const CLI::ParseError& error) {
    const auto commands = app.get_subcommands();
    const std::string command = commands.empty() ? "" : commands.front()->get_name() + " ";
    return fail(exit_code(KANDINSKY_INVALID_ARGUMENT),
                fmt::format("{} (see kandinsky {}--help)",
                            kandinsky::cli::without_marks(error.what()), command));
  }
  if (const int error = kandinsky::cli::print_error()) {
    return fail(exit_code(KANDINSKY_IO),
                fmt::format("standard output cannot be written: {}; any images are saved",
                            std::strerror(error)));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  kandinsky::cli::reserve_descriptors();
  kandinsky::cli::ignore_signals_of_writes();
  try {
    return run(argc, argv);
  } catch (...) {
    return fail_with_current_exception();
  }
}
