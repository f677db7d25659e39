#include <memory>

#include "cli/commands.h"
#include "cli/declare.h"
#include "cli/generate_job.h"
#include "cli/option_groups.h"

namespace kandinsky::cli {

void add_img2img(CLI::App& app) {
  auto job = std::make_shared<GenerateJob>();
  CLI::App& command = add_command(
      app, "img2img", "Generate images from an image and a text",
      generation_footer("  kandinsky img2img --model models/Kandinsky/kandinsky-2-1 \\\n"
                        "      --image sketch.jpg --strength 0.6 \\\n"
                        "      --prompt \"a lighthouse, oil painting\" --output lighthouse.png"),
      [job] { generate(*job); });
  require(add_model_options(command, *job));
  require(add_image_options(command, *job, "--image"));
  require(add_prompt_options(command, *job));
  add_hint_options(command, *job);
  add_sampling_options(command, *job);
  add_noise_options(command, *job);
  add_output_options(command, *job);
}

}  // namespace kandinsky::cli
