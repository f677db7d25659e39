#include "cli/option_groups.h"

#include "cli/declare.h"
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
      "What to generate, in any language of the model. (word), (word:1.3), [word] and BREAK "
      "set weights as in web UIs");
  group.text("--negative-prompt", job.negative_prompt, "What the images should not show");
  group.text("--negative-prior-prompt", job.negative_prior_prompt,
             "Negative prompt of the prior alone. Default: the negative prompt");
  group.file(
      "--prior-image", job.prior_image, "FILE",
      "Image whose embedding the prior starts from instead of noise, for --prior-strength of "
      "its steps: the images get something of it");
  group.settings_of_group("encode_prompts", job.settings);
  return prompt;
}

void add_sampling_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Sampling");
  group.settings_of_group("text_to_image", job.settings);
  OptionGroup size(command, "Size");
  const auto most = static_cast<std::int32_t>(jobs::option_info("width").maximum);
  size.integer(
      "--width", job.width, 1, most,
      "Width in pixels. Default: the size that the model was trained on, or the start image's own");
  size.integer("--height", job.height, 1, most, "Height in pixels. Default: as for --width");
  size.settings_of_group("text_to_image", job.settings);
}

void add_noise_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Noise");
  group.name("--seed", job.seed, "N",
             "Seed of the first image; image i of a batch is the one that seed + i gives alone. "
             "-1: random");
  group.integer("--batch-size", job.batch_size, 1,
                static_cast<std::int32_t>(jobs::option_info("seeds").maximum),
                "Number of images; more than 1 need a folder as --output");
  group.name(
      "--variation-seed", job.variation_seed, "N",
      "Seed of the noise that --variation-strength mixes in. Image i has variation seed + i, and "
      "all have the same --seed; -1: random");
  group.size("--seed-resize", "seed_resize_width", "seed_resize_height", job.settings);
  group.settings_of_group("text_to_image", job.settings,
                          {"seed_resize_width", "seed_resize_height"});
}

CLI::Option* add_image_options(CLI::App& command, GenerateJob& job, const char* name) {
  OptionGroup group(command, "Image");
  CLI::Option* image =
      group.file(name, job.image, "FILE",
                 "Image to start from: a PNG, JPEG or WebP file, a pipe, or - for standard input; "
                 "of an animation the first image; transparent pixels become white");
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
  group.file("--hint", job.hint, "FILE",
             "Depth map for a model with depth control, which needs one: an image file, near is "
             "bright and far is dark. Another size than the generated one is stretched to it");
  group.settings_of_group("text_to_image", job.settings);
}

void add_output_options(CLI::App& command, GenerateJob& job) {
  OptionGroup group(command, "Output");
  group.file("--output", job.output, "FILE.png|FOLDER/",
             "A file that ends in .png, .jpg, .jpeg or .webp, which is replaced if it exists, or a "
             "folder, which gets numbered PNG files: 00000-<seed>.png and on. Only PNG files keep "
             "the parameters. Required, unless --save-embeds is all that is wanted");
  group.file("--save-embeds", job.save_embeds, "FILE",
             "Save the embeds that the images were generated from as a safetensors file, for "
             "`kandinsky mix --embeds`");
  group.flag("--quiet", job.quiet, true, "No progress and no remarks, errors only");
}

std::string generation_footer(const std::string& example) {
  return "Paths of the saved images go to standard output, all else to standard error.\n"
         "Ctrl-C stops at the next step and saves nothing; a second one stops at "
         "once.\n\nExample:\n" +
         example;
}

}  // namespace kandinsky::cli
