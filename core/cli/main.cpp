#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "kandinsky.hpp"

namespace {

constexpr int kOtherFailure = 1;
constexpr int kStopped = 130;  // what shells show after Ctrl-C

/// 1 + status, so that 1 stays free for all else; see the help text.
int exit_code(kandinsky_status status) {
  return status == KANDINSKY_CANCELLED ? kStopped : 1 + static_cast<int>(status);
}

/// One line, whatever the message holds.
int fail(int code, std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  fmt::print(stderr, "kandinsky: {}\n", message);
  return code;
}

int run(int argc, char** argv) {
  CLI::App app("Kandinsky paints pictures from texts and pictures.", "kandinsky");
  app.set_version_flag("--version", fmt::format("kandinsky {} (LibTorch {})", kandinsky_version(),
                                                kandinsky_torch_version()));
  app.require_subcommand(1);
  app.footer(
      "`kandinsky COMMAND --help` tells a command's options.\n\n"
      "Example:\n"
      "  kandinsky txt2img --model models/kandinsky-2-1 --prompt \"a red circle\" --output "
      "circle.png\n\n"
      "Exit codes: 0 done, 2 a wrong argument, 3 something is missing, 4 a file is corrupt, 5 not "
      "supported,\n"
      "6 out of memory, 8 busy, 9 parts that do not fit each other, 10 an error of ours (please "
      "report it),\n"
      "11 a file that cannot be read or written, as on a full disk, 130 stopped by Ctrl-C, 1 "
      "anything "
      "else.\nEvery failure ends with one line on standard error.");
  kandinsky::cli::add_txt2img(app);
  kandinsky::cli::add_img2img(app);
  kandinsky::cli::add_inpaint(app);
  kandinsky::cli::add_mix(app);
  kandinsky::cli::add_info(app);
  kandinsky::cli::add_samplers(app);
  kandinsky::cli::add_schedulers(app);
  kandinsky::cli::add_speedups(app);
  kandinsky::cli::check_utf8(argc, argv);
  if (argc == 1) {
    fmt::print(stderr, "{}\n", app.help());
    return fail(exit_code(KANDINSKY_INVALID_ARGUMENT), "name a command, such as txt2img");
  }
  const auto is_named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
    return fail(exit_code(KANDINSKY_INVALID_ARGUMENT),
                fmt::format("there is no command \"{}\" (kandinsky --help lists them)", argv[1]));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wish) {
    return app.exit(wish);  // --help and --version
  } catch (const CLI::ParseError& error) {
    const auto commands = app.get_subcommands();
    const std::string command = commands.empty() ? "" : commands.front()->get_name() + " ";
    return fail(exit_code(KANDINSKY_INVALID_ARGUMENT),
                fmt::format("{} (kandinsky {}--help tells more)", error.what(), command));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return fail(kOtherFailure, "standard output could not be written");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const kandinsky::StatusError& error) {
    return fail(exit_code(error.status()), error.what());
  } catch (const std::bad_alloc&) {
    return fail(exit_code(KANDINSKY_OUT_OF_MEMORY),
                "there is not enough memory for pictures of that size and number");
  } catch (const std::exception& error) {
    return fail(kOtherFailure, error.what());
  }
}
