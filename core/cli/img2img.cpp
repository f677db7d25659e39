#include <memory>

#include "cli/commands.h"
#include "cli/option_groups.h"

namespace kandinsky::cli {

void add_img2img(CLI::App& app) {
  auto job = std::make_shared<GenerateJob>();
  CLI::App* command = app.add_subcommand("img2img", "Generate images from an image and a text");
  add_model_options(*command, *job);
  add_image_options(*command, *job, "--image")->required();
  add_prompt_options(*command, *job)->required();
  add_sampling_options(*command, *job);
  add_noise_options(*command, *job);
  add_output_options(*command, *job);
  command->footer(generation_footer(
      "  kandinsky img2img --model models/kandinsky-2-1 --image sketch.jpg --strength 0.6 \\\n"
      "      --prompt \"a lighthouse, oil painting\" --output lighthouse.png"));
  command->callback([job] { generate(*job); });
}

}  // namespace kandinsky::cli
