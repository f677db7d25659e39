#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/marked.h"
#include "cli/progress_bar.h"
#include "cli/session.h"
#include "cli/streams.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

struct ConvertOptions {
  std::vector<std::string> inputs;
  std::string output;
  std::string precision = "fp16";
  bool quiet = false;
};

void run(const ConvertOptions& options) {
  const InterruptWatch watch([] {});
  ProgressBar bar(isatty(STDERR_FILENO) != 0);
  std::vector<std::string> inputs;
  for (const std::string& input : options.inputs) inputs.push_back(unmarked(input));
  const std::string output = unmarked(options.output);
  try {
    convert(
        inputs, output, options.precision,
        [&](const kandinsky_progress& progress) {
          if (!options.quiet) bar.update(progress);
          return watch.signal() == 0 ? KANDINSKY_CONTINUE : KANDINSKY_CANCEL;
        },
        [&](const char* message) {
          if (!options.quiet) bar.message(message);
        });
  } catch (const StatusError& error) {
    bar.finish_line();
    if (watch.signal() != 0) throw Stopped(watch.signal(), error.what());
    throw;
  }
  bar.finish_line();
  print(output + "\n");
}

}  // namespace

void add_convert(CLI::App& app) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand(
      "convert",
      "Make a model folder from original checkpoints or from a folder in another precision");
  command
      ->add_option(
          "IN", options->inputs,
          "Original checkpoints of Kandinsky 2.1, folders of them, or its model folders in "
          "diffusers' layout, which supply what the others lack")
      ->required();
  command
      ->add_option("--output", options->output,
                   "Folder to write; the prior and the inpainting model go beside it, to "
                   "<output>-prior and <output>-inpaint")
      ->type_name("DIR")
      ->required();
  command
      ->add_option_function<std::string>(
          "--precision",
          [options](const std::string& given) {
            options->precision = parse_word("--precision", given, {"fp16", "bf16", "fp32"});
          },
          "Data type of the weights. One of: fp16, bf16, fp32")
      ->type_name("NAME")
      ->default_str(options->precision);
  command->add_flag("--quiet", options->quiet, "Print errors only, no progress and remarks");
  command->footer(
      "No code in a checkpoint is run. Files are written whole or not at all. After a stop or a\n"
      "missing input, the same command resumes. CLIP's encoders are in none of the original\n"
      "files: also give a folder of the prior.\n\n"
      "Examples:\n"
      "  kandinsky convert 2_1/ models/Kandinsky/kandinsky-2-1-prior --output models/my-kandinsky\n"
      "  kandinsky convert models/Kandinsky/kandinsky-2-1 --output models/small --precision bf16");
  command->callback([options] { run(*options); });
}

}  // namespace kandinsky::cli
