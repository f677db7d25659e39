#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <system_error>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output_place.h"
#include "cli/parameters.h"
#include "cli/progress_bar.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

// The ranges are those of kandinsky.h; they are checked here as well so that messages name the
// option.
constexpr std::int32_t kMaxBatchSize = 64;
constexpr std::int32_t kMaxSide = 16384;
constexpr std::int32_t kMaxSteps = 1000;
constexpr double kMaxScale = 100;

/// The options as typed. Numbers are texts until they are checked, see arguments.h.
struct Options {
  std::string model;
  std::string prior;
  std::string prompt;
  std::string negative_prompt;
  std::string width;
  std::string height;
  std::string steps = "50";
  std::string cfg_scale = "4";
  std::string prior_steps = "25";
  std::string prior_cfg_scale = "4";
  std::string seed = "-1";
  std::string batch_size = "1";
  std::string sampler = "DDIM";
  std::string precision = "auto";
  std::string device = "auto";
  std::string output;
  bool has_negative_prompt = false;
  bool quiet = false;
};

/// Whom Ctrl-C has to stop.
class RunningEngine {
 public:
  void set(Engine* engine) {
    const std::lock_guard lock(mutex_);
    engine_ = engine;
  }
  void cancel() {
    const std::lock_guard lock(mutex_);
    if (engine_ != nullptr) engine_->cancel();
  }

 private:
  std::mutex mutex_;
  Engine* engine_ = nullptr;
};

/// The sampler's name as the library spells it. Throws StatusError(KANDINSKY_INVALID_ARGUMENT) with
/// all names.
std::string sampler_name(const std::string& asked) {
  const auto same_letter = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  const std::vector<std::string> names = sampler_names();
  for (const std::string& name : names) {
    if (std::equal(name.begin(), name.end(), asked.begin(), asked.end(), same_letter)) return name;
  }
  throw StatusError(
      KANDINSKY_INVALID_ARGUMENT,
      fmt::format("--sampler: there is no sampler \"{}\", only {}", asked, fmt::join(names, ", "))
          .c_str());
}

/// "kandinsky-demo" for "models/kandinsky-demo/" and for "." inside of it.
std::string folder_name(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(dir, error);
  return error ? dir : path.filename().string();
}

std::vector<std::uint64_t> seeds_from(std::uint64_t first, std::int32_t batch_size) {
  std::vector<std::uint64_t> seeds(static_cast<std::size_t>(batch_size));
  std::iota(seeds.begin(), seeds.end(), first);
  return seeds;
}

/// Throws StatusError(KANDINSKY_CANCELLED) after Ctrl-C.
void check_interrupt(const InterruptWatch& watch) {
  if (watch.signal() != 0) throw StatusError(KANDINSKY_CANCELLED, "stopped, nothing was saved");
}

void paint(const Options& options) {
  PromptOptions prompts;
  DenoiseOptions denoise;
  const std::int32_t batch_size =
      parse_integer("--batch-size", options.batch_size, 1, kMaxBatchSize);
  if (!options.width.empty()) denoise.width = parse_integer("--width", options.width, 1, kMaxSide);
  if (!options.height.empty()) {
    denoise.height = parse_integer("--height", options.height, 1, kMaxSide);
  }
  denoise.num_inference_steps = parse_integer("--steps", options.steps, 1, kMaxSteps);
  denoise.guidance_scale = parse_number("--cfg-scale", options.cfg_scale, 0, kMaxScale);
  prompts.prior_num_inference_steps =
      parse_integer("--prior-steps", options.prior_steps, 2, kMaxSteps);
  prompts.prior_guidance_scale =
      parse_number("--prior-cfg-scale", options.prior_cfg_scale, 0, kMaxScale);
  denoise.sampler = sampler_name(options.sampler);
  denoise.seeds = seeds_from(parse_seed("--seed", options.seed, batch_size), batch_size);
  prompts.seeds = denoise.seeds;
  prompts.prompts.assign(denoise.seeds.size(), options.prompt);
  if (options.has_negative_prompt) {
    prompts.negative_prompts.emplace(denoise.seeds.size(), options.negative_prompt);
  }
  OutputPlace output(options.output, batch_size);

  // After this line and before the engine: its threads must leave Ctrl-C to the watch.
  RunningEngine running;
  const InterruptWatch watch([&running] { running.cancel(); });
  Engine engine(options.model, options.prior, options.device, options.precision);
  running.set(&engine);
  // The engine dies before `running` and `watch`, whatever happens.
  const std::shared_ptr<void> forget(nullptr, [&running](void*) { running.set(nullptr); });
  const kandinsky_engine_info info = engine.info();
  if (options.width.empty()) denoise.width = info.native_size;
  if (options.height.empty()) denoise.height = info.native_size;

  ProgressBar bar(stderr, isatty(STDERR_FILENO) != 0);
  if (!options.quiet) {
    bar.message(fmt::format("seed {}, {} on {} ({})", denoise.seeds.front(), info.precision,
                            info.device, info.reason)
                    .c_str());
    if (denoise.width != info.native_size || denoise.height != info.native_size) {
      bar.message(fmt::format("this model was trained on pictures of {0} x {0}; {1} x {2} may "
                              "look repeated or cut off",
                              info.native_size, denoise.width, denoise.height)
                      .c_str());
    }
    if (!output.keeps_parameters()) {
      bar.message("only PNG files keep the parameters, this picture will not tell them");
    }
    engine.set_message([&bar](const char* message) { bar.message(message); });
  }
  engine.set_progress([&](const kandinsky_progress& progress) {
    if (!options.quiet) bar.update(progress);
    return watch.signal() != 0 ? KANDINSKY_CANCEL : KANDINSKY_CONTINUE;
  });

  check_interrupt(watch);
  std::vector<std::uint8_t> pictures;
  try {
    pictures = engine.text_to_image(prompts, denoise);
  } catch (const StatusError& error) {
    bar.finish_line();
    if (error.status() == KANDINSKY_CANCELLED) check_interrupt(watch);
    throw;
  }
  bar.finish_line();
  check_interrupt(watch);

  PictureParameters parameters;
  parameters.prompt = options.prompt;
  if (options.has_negative_prompt) parameters.negative_prompt = options.negative_prompt;
  parameters.steps = denoise.num_inference_steps;
  parameters.sampler = denoise.sampler;
  parameters.cfg_scale = denoise.guidance_scale;
  parameters.width = denoise.width;
  parameters.height = denoise.height;
  parameters.model = folder_name(options.model);
  parameters.prior_steps = prompts.prior_num_inference_steps;
  parameters.prior_cfg_scale = prompts.prior_guidance_scale;
  parameters.precision = info.precision;
  const std::uint8_t* pixels = pictures.data();
  for (const std::uint64_t seed : denoise.seeds) {
    parameters.seed = seed;
    const std::string path = output.next_path(seed);
    save_picture(path, pixels, denoise.width, denoise.height,
                 output.keeps_parameters() ? parameters_text(parameters) : std::string());
    pixels += pictures.size() / denoise.seeds.size();
    fmt::print("{}\n", path);
  }
}

}  // namespace

void add_txt2img(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("txt2img", "Paint pictures from a text");
  command->add_option("--model", options->model, "Model folder (decoder), in the hub's layout")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--prior", options->prior,
                   "Prior folder. Default: the folder beside the model named <model>-prior")
      ->type_name("DIR");
  command->add_option("--prompt", options->prompt, "What to paint, in any language of the model")
      ->required()
      ->type_name("TEXT");
  CLI::Option* negative =
      command
          ->add_option(
              "--negative-prompt", options->negative_prompt,
              "What not to paint. Leaving it out and giving \"\" is not the same: left out, "
              "the picture is pushed away from an empty picture instead of a text")
          ->type_name("TEXT");
  command
      ->add_option(
          "--output", options->output,
          "A file that ends in .png, .jpg, .jpeg or .webp, which is replaced if it exists, "
          "or a folder, which gets numbered PNG files: 00000-<seed>.png and on. Only PNG "
          "files keep the parameters")
      ->required()
      ->type_name("FILE.png|FOLDER/");
  command
      ->add_option("--width", options->width,
                   "Pixels, 1 to 16384. Default: the size that the model was trained on")
      ->type_name("N");
  command->add_option("--height", options->height, "Likewise")->type_name("N");
  command->add_option("--steps", options->steps, "Steps of the sampler, 1 to 1000 (DDIM: 999)")
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--cfg-scale", options->cfg_scale,
                   "How closely the picture follows the text, 0 to 100; 1 and less: no guidance")
      ->capture_default_str()
      ->type_name("X");
  command
      ->add_option("--prior-steps", options->prior_steps,
                   "Steps of the prior, which turns the text into an idea of a picture, 2 to 1000")
      ->capture_default_str()
      ->type_name("N");
  command->add_option("--prior-cfg-scale", options->prior_cfg_scale, "Likewise for the prior")
      ->capture_default_str()
      ->type_name("X");
  command
      ->add_option("--seed", options->seed,
                   "Picture i of a batch has seed + i and looks the same alone; -1: random")
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--batch-size", options->batch_size,
                   "Pictures, 1 to 64; more than 1 need a folder")
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--sampler", options->sampler,
                   fmt::format("One of: {}", fmt::join(sampler_names(), ", ")))
      ->capture_default_str()
      ->type_name("NAME");
  command
      ->add_option("--precision", options->precision,
                   "fp32, bf16, fp16 (not on a CPU), or auto: what suits the device")
      ->capture_default_str()
      ->type_name("NAME");
  command->add_option("--device", options->device, "cpu, cuda, cuda:1, ..., or auto")
      ->capture_default_str()
      ->type_name("NAME");
  command->add_flag("--quiet", options->quiet, "No progress and no remarks, errors only");
  command->footer(
      "Paths of the saved pictures go to standard output, all else to standard error.\n"
      "Ctrl-C stops at the next step and saves nothing.\n\n"
      "Example:\n"
      "  kandinsky txt2img --model models/kandinsky-2-1 --prompt \"a red circle on a white "
      "background\" \\\n"
      "      --steps 50 --cfg-scale 4 --seed 1 --output circle.png");
  command->callback([options, negative] {
    options->has_negative_prompt = negative->count() > 0;
    paint(*options);
  });
}

}  // namespace kandinsky::cli
