#include "cli/option_groups.h"

#include <cstdint>
#include <string>

#include "cli/declare.h"
#include "cli/generate_job.h"
#include "jobs/limits.h"
#include "jobs/settings.h"

namespace kandinsky::cli {

CLI::Option* add_model_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Model");
  CLI::Option* model = group.setting("model_dir", job.settings);
  group.settings_of_group("engine", job.settings);
  group.repeated("--lora", "loras", "FILE[:WEIGHT]", job.settings);
  group.repeated("--companion-dir", "companion_dirs", "DIR", job.settings);
  group.integer("--threads", job.threads, 1, jobs::kMaxThreads,
                "Threads to compute with. Default: one for each core");
  return model;
}

CLI::Option* add_prompt_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Prompt");
  CLI::Option* prompt = group.text(
      "--prompt", job.prompt,
      "Content of the images, in a language of the model. (word), (word:1.3), [word] and BREAK "
      "set weights as in web UIs");
  group.text("--negative-prompt", job.negative_prompt, "Content to avoid");
  group.text("--negative-prior-prompt", job.negative_prior_prompt,
             "Negative prompt for the prior only. Default: the negative prompt");
  group.file(
      "--prior-image", job.prior_image, "FILE",
      "Image whose embedding the prior starts from instead of noise, so that the images resemble "
      "it; see --prior-strength");
  group.settings_of_group("encode_prompts", job.settings);
  return prompt;
}

void add_sampling_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Sampling");
  group.settings_of_group("text_to_image", job.settings);
  OptionGroup size(command, "Size");
  const auto most = static_cast<std::int32_t>(jobs::option_info("width").maximum);
  size.integer("--width", job.width, 1, most,
               "Width in pixels. Default: the model's training size, or the start image's width");
  size.integer("--height", job.height, 1, most, "Height in pixels. Default: as for --width");
  size.settings_of_group("text_to_image", job.settings);
}

void add_noise_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Noise");
  group.name("--seed", job.seed, "N",
             "Seed of the first image; image i of a batch is the same as a single image with "
             "seed + i. -1: random");
  group.integer("--batch-size", job.batch_size, 1,
                static_cast<std::int32_t>(jobs::option_info("seeds").maximum),
                "Number of images; more than 1 needs a folder as --output");
  group.name(
      "--variation-seed", job.variation_seed, "N",
      "Seed of the noise that --variation-strength mixes in. Image i uses variation seed + i and "
      "the same --seed; -1: random");
  group.size("--seed-resize", "seed_resize_width", "seed_resize_height", job.settings);
  group.settings_of_group("text_to_image", job.settings,
                          {"seed_resize_width", "seed_resize_height"});
}

CLI::Option* add_image_options(CLI::App& command, GenerateJob& job, const char* name) {
  OptionGroup group(command, "Image");
  CLI::Option* image =
      group.file(name, job.image, "FILE",
                 "Start image: a PNG, JPEG or WebP file, a pipe, or - for standard input. "
                 "Animations: the first frame; transparent pixels become white");
  group.settings_of_group("image_to_image", job.settings);
  return image;
}

CLI::Option* add_mask_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Mask");
  CLI::Option* mask = group.file("--mask", job.mask, "FILE",
                                 "Mask, an image file as large as the start image: white is "
                                 "inpainted, black and transparent are kept");
  group.settings_of_group("image_to_image", job.settings);
  return mask;
}

void add_hint_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Hint");
  group.file(
      "--hint", job.hint, "FILE",
      "Depth map, an image file with near bright and far dark; required by models with depth "
      "control. Other sizes are stretched to the image's");
  group.settings_of_group("text_to_image", job.settings);
}

void add_output_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Output");
  group.file(
      "--output", job.output, "FILE.png|FOLDER/",
      "A .png, .jpg, .jpeg or .webp file, replaced if it exists, or a folder for numbered PNG "
      "files: 00000-<seed>.png and on. Only PNG files keep the parameters. Required unless "
      "--save-embeds is given");
  group.file("--save-embeds", job.save_embeds, "FILE",
             "Save the embeds of the images as a safetensors file, for `kandinsky mix --embeds`");
  group.flag("--quiet", job.quiet, true, "Print errors only, no progress and remarks");
}

std::string generation_footer(const std::string& example) {
  return "Paths of saved images are printed to standard output, everything else to standard "
         "error.\n"
         "Ctrl-C stops at the next step and saves nothing; a second Ctrl-C ends the program at "
         "once.\n\nExample:\n" +
         example;
}

}  // namespace kandinsky::cli
