#include <memory>

#include "cli/commands.h"
#include "cli/declare.h"
#include "cli/generate_job.h"
#include "cli/option_groups.h"

namespace kandinsky::cli {

void add_inpaint(CLI::App& app) {
  auto job = std::make_shared<GenerateJob>();
  job->settings.set("strength", 1.0);
  CLI::App& command = add_command(
      app, "inpaint", "Inpaint the masked part of an image",
      generation_footer("  kandinsky inpaint --model models/Kandinsky/kandinsky-2-1 \\\n"
                        "      --image cat.png --mask hat.png \\\n"
                        "      --prompt \"a cat with a red hat\" --output cat-with-hat.png"),
      [job] { generate(*job); });
  require(add_model_options(command, *job));
  require(add_image_options(command, *job, "--image"));
  require(add_mask_options(command, *job));
  require(add_prompt_options(command, *job));
  add_hint_options(command, *job);
  add_sampling_options(command, *job);
  add_noise_options(command, *job);
  add_output_options(command, *job);
}

}  // namespace kandinsky::cli
