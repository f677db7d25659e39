#include "cli/option_groups.h"

#include "cli/declare.h"
#include "cli/limits.h"

namespace kandinsky::cli {

void add_model_options(CLI::App& command, PaintJob& job) {
  OptionGroup group(command, "Model");
  EngineOptions& model = job.model.engine;
  group.name("--model", model.model_dir, "DIR", "Model folder (decoder), in the hub's layout")
      ->required();
  group.name("--prior", model.prior_dir, "DIR",
             "Prior folder. Default: the folder beside the model named <model>-prior");
  group.word("--precision", model.precision, {"auto", "fp32", "bf16", "fp16"},
             "auto is what suits the device, fp16 is not for a CPU. One of");
  group.name("--device", model.device, "NAME",
             "Where to compute: cpu, cuda, cuda:1, ..., or auto, an accelerator if there is one");
  group.name(
      "--prior-device", model.prior_device, "NAME",
      "Where the prior's folder computes, such as cpu beside a small GPU. Default: --device");
  group.flag("--int8-weights", model.int8_weights, true,
             "Less memory, but another picture: the prior and the text encoder hold their matrices "
             "in 8 bits");
  group.bytes("--max-memory", model.max_memory,
              "Memory that painting may take, such as 3GB or 2500MB: where it is little, parts are "
              "loaded when they are needed, or read layer by layer. Default: what is free");
  group.integer("--threads", job.model.threads, 1, kMaxThreads,
                "Threads to compute with. Default: one for each core");
  group.name(
      "--without", model.without, "NAMES",
      "Speed-ups to leave out, separated by commas, for measuring; see `kandinsky speedups`");
}

CLI::Option* add_prompt_options(CLI::App& command, PaintJob& job) {
  OptionGroup group(command, "Prompt");
  PromptOptions& prompts = job.prompts;
  CLI::Option* prompt = group.text(
      "--prompt", job.prompt,
      "What to paint, in any language of the model. (word), (word:1.3), [word] and BREAK "
      "weigh it as in web UIs");
  group.text("--negative-prompt", job.negative_prompt, "What not to paint");
  group.text("--negative-prior-prompt", job.negative_prior_prompt,
             "What the prior steers away from. Default: the negative prompt");
  group.word("--negative-image", prompts.negative_image, {"zero", "prior"},
             "The image side of what not to paint. zero is an empty picture and leaves the colours "
             "alone, prior is the prior's idea of the negative prompt. One of");
  group.integer("--prior-steps", prompts.prior_num_inference_steps, 2, kMaxSteps,
                "Steps of the prior, which turns the text into an idea of a picture");
  group.number("--prior-cfg-scale", prompts.prior_guidance_scale, 0, kMaxScale,
               "How closely the idea follows the text; 1 and less: no guidance");
  group.flag("--plain-prompt", prompts.parse_weights, false,
             "Brackets and BREAK in prompts are plain text");
  group.flag("--long-prompts", prompts.long_prompts, true,
             "Read prompts whole, in chunks of 75 tokens. Default: the rest is left out");
  return prompt;
}

void add_sampling_options(CLI::App& command, PaintJob& job) {
  OptionGroup group(command, "Sampling");
  DenoiseOptions& denoise = job.denoise;
  group.word("--sampler", denoise.sampler, sampler_names(),
             "The way from noise to an image. One of");
  group.word("--scheduler", denoise.scheduler, scheduler_names(),
             "How the sampler's steps are spaced, see `kandinsky schedulers`. One of");
  group.integer("--steps", denoise.num_inference_steps, 1, kMaxSteps,
                "Steps of the sampler (DDIM: up to 999)");
  group.number("--cfg-scale", denoise.guidance_scale, 0, kMaxScale,
               "How closely the picture follows the prompt; 1 and less: no guidance");
  group.number("--cfg-rescale", denoise.guidance_rescale, 0, 1,
               "Tames the contrast of a high CFG scale; 0: off");
  group.number("--guidance-start", denoise.guidance_start, 0, 1,
               "Part of the steps before which there is no guidance");
  group.number("--guidance-end", denoise.guidance_end, 0, 1,
               "Part of the steps after which there is none");
  group.integer("--cache-interval", denoise.cache_interval, 1, kMaxCacheInterval,
                "Faster, but another picture: the UNet's inner levels run in every so many steps "
                "only. 2 takes about three fifths of the time; 1: off");
  group.flag("--tiling", denoise.tiling, true,
             "Opposite borders fit; width and height must be multiples of 64");
  group.integer("--width", job.width, 1, kMaxSide,
                "Pixels. Default: the size that the model was trained on, or the picture's own");
  group.integer("--height", job.height, 1, kMaxSide, "Likewise");
}

void add_noise_options(CLI::App& command, PaintJob& job) {
  OptionGroup group(command, "Noise");
  group.name("--seed", job.seed, "N",
             "Picture i of a batch has seed + i and looks the same alone; -1: random");
  group.integer("--batch-size", job.batch_size, 1, kMaxBatchSize,
                "Pictures; more than 1 need a folder");
  group.name("--variation-seed", job.variation_seed, "N",
             "Whose noise to mix in. Picture i has variation seed + i, and all have the same "
             "--seed; -1: random");
  group.number("--variation-strength", job.denoise.variation_strength, 0, 1,
               "How far from the seed's noise to the variation seed's; 0: off");
  group.size("--seed-resize", job.denoise.seed_resize_width, job.denoise.seed_resize_height,
             "Draw the noise of a picture of this size and centre it, so that a seed keeps its "
             "composition");
}

CLI::Option* add_image_options(CLI::App& command, PaintJob& job, const char* name) {
  OptionGroup group(command, "Picture");
  CLI::Option* image =
      group.file(name, job.image, "FILE",
                 "Image to start from: a PNG, JPEG or WebP file, a pipe, or - for standard input; "
                 "of an animation the first image; transparent places become white");
  group.number("--strength", job.denoise.strength, 0, 1,
               "How much is painted anew; 0 gives the picture back, 1 is free of it");
  group.word("--resize", job.source.resize, {"stretch", "crop", "fill"},
             "How a picture of another shape is brought to the painted size. crop cuts off what "
             "overlaps, fill repeats the border. One of");
  group.flag("--reference-noise", job.reference_noise, true,
             "Start on the noise of diffusers' pipeline, which is noisier; for DDIM and DDPM");
  return image;
}

CLI::Option* add_mask_options(CLI::App& command, PaintJob& job) {
  OptionGroup group(command, "Mask");
  SourceOptions& source = job.source;
  CLI::Option* mask = group.file("--mask", job.mask, "FILE",
                                 "Image as large as the one to start from: white is repainted, "
                                 "black and transparent are kept. Read as that one is");
  group.flag("--invert-mask", source.invert_mask, true, "Black is repainted, white is kept");
  group.integer("--mask-blur", source.mask_blur, 0, kMaxMaskBlur,
                "Softness of the mask's border in pixels");
  group.word("--mask-fill", source.mask_fill,
             {"original", "fill", "latent noise", "latent nothing"},
             "What the masked part holds at first; fill is colours from around. One of");
  group.word("--mask-method", job.denoise.mask_method, {"auto", "model", "blend"},
             "model is the inpainting model, blend is the model itself with the rest put back at "
             "each step, auto is model if there is one. One of");
  group.name("--inpaint", job.model.engine.inpaint_dir, "DIR",
             "Inpainting model's folder. Default: the folder beside the model named "
             "<model>-inpaint, if there is one; \"\": none");
  group.flag("--no-erosion", source.erode_mask, false,
             "Keep latents at the mask's border that the reference would repaint");
  group.flag("--no-composite", source.composite, false,
             "Leave what is outside the mask as the model painted it. Default: the picture's own "
             "pixels, bit for bit");
  return mask;
}

void add_output_options(CLI::App& command, PaintJob& job) {
  OptionGroup group(command, "Output");
  group.file("--output", job.output, "FILE.png|FOLDER/",
             "A file that ends in .png, .jpg, .jpeg or .webp, which is replaced if it exists, or a "
             "folder, which gets numbered PNG files: 00000-<seed>.png and on. Only PNG files keep "
             "the parameters. Required, unless --save-embeds is all that is wanted");
  group.file("--save-embeds", job.save_embeds, "FILE",
             "Keep what guided the pictures in a small safetensors file, for `kandinsky mix "
             "--embeds`");
  group.flag("--quiet", job.quiet, true, "No progress and no remarks, errors only");
}

std::string painting_footer(const std::string& example) {
  return "Paths of the saved pictures go to standard output, all else to standard error.\n"
         "Ctrl-C stops at the next step and saves nothing; a second one stops at "
         "once.\n\nExample:\n" +
         example;
}

}  // namespace kandinsky::cli
