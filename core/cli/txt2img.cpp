#include <memory>

#include "cli/commands.h"
#include "cli/option_groups.h"

namespace kandinsky::cli {

void add_txt2img(CLI::App& app) {
  auto job = std::make_shared<GenerateJob>();
  CLI::App* command = app.add_subcommand("txt2img", "Generate images from a text");
  add_model_options(*command, *job);
  add_prompt_options(*command, *job)->required();
  add_sampling_options(*command, *job);
  add_noise_options(*command, *job);
  add_output_options(*command, *job);
  command->footer(generation_footer(
      "  kandinsky txt2img --model models/kandinsky-2-1 --prompt \"a red circle on "
      "a white background\" \\\n"
      "      --steps 50 --cfg-scale 4 --seed 1 --output circle.png"));
  command->callback([job] { generate(*job); });
}

}  // namespace kandinsky::cli
