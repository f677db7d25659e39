#include <memory>

#include "cli/commands.h"
#include "cli/option_groups.h"

namespace kandinsky::cli {

void add_inpaint(CLI::App& app) {
  auto job = std::make_shared<GenerateJob>();
  job->settings.set("strength", 1.0);
  CLI::App* command = app.add_subcommand("inpaint", "Inpaint the masked part of an image");
  add_model_options(*command, *job);
  add_image_options(*command, *job, "--image")->required();
  add_mask_options(*command, *job)->required();
  add_prompt_options(*command, *job)->required();
  add_sampling_options(*command, *job);
  add_noise_options(*command, *job);
  add_output_options(*command, *job);
  command->footer(generation_footer(
      "  kandinsky inpaint --model models/kandinsky-2-1 --image cat.png --mask hat.png \\\n"
      "      --prompt \"a cat with a red hat\" --output cat-with-hat.png"));
  command->callback([job] { generate(*job); });
}

}  // namespace kandinsky::cli
