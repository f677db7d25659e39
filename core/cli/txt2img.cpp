#include <memory>

#include "cli/commands.h"
#include "cli/declare.h"
#include "cli/generate_job.h"
#include "cli/option_groups.h"

namespace kandinsky::cli {

void add_txt2img(CLI::App& app) {
  auto job = std::make_shared<GenerateJob>();
  CLI::App& command = add_command(
      app, "txt2img", "Generate images from a text",
      generation_footer("  kandinsky txt2img --model models/Kandinsky/kandinsky-2-1 \\\n"
                        "      --prompt \"a red circle on a white background\" \\\n"
                        "      --steps 50 --cfg-scale 4 --seed 1 --output circle.png"),
      [job] { generate(*job); });
  require(add_model_options(command, *job));
  require(add_prompt_options(command, *job));
  add_hint_options(command, *job);
  add_sampling_options(command, *job);
  add_noise_options(command, *job);
  add_output_options(command, *job);
}

}  // namespace kandinsky::cli
