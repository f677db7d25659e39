#include <fmt/format.h>

#include <filesystem>
#include <numeric>
#include <string>
#include <system_error>
#include <vector>

#include "cli/arguments.h"
#include "cli/canvas.h"
#include "cli/make_embeds.h"
#include "cli/output_place.h"
#include "cli/paint_job.h"
#include "cli/parameters.h"
#include "cli/read_image.h"
#include "cli/session.h"
#include "cli/streams.h"
#include "cli/text.h"

namespace kandinsky::cli {
namespace {

std::vector<std::uint64_t> counted_from(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

/// The lists of the engine's options: the same texts for all pictures, seeds that count up.
void fill_lists(PaintJob& job) {
  const auto count = static_cast<std::size_t>(job.batch_size);
  const std::uint64_t seed = parse_seed("--seed", job.seed, job.batch_size);
  // As hosts do: variations are variations of one picture.
  const bool varies = job.denoise.variation_strength > 0;
  job.denoise.seeds = varies ? std::vector(count, seed) : counted_from(seed, count);
  if (varies) {
    job.denoise.variation_seeds =
        counted_from(parse_seed("--variation-seed", job.variation_seed, job.batch_size), count);
  }
  job.prompts.seeds = job.denoise.seeds;
  job.prompts.prompts.assign(count, job.prompt.value_or(""));
  if (job.negative_prompt) job.prompts.negative_prompts.emplace(count, *job.negative_prompt);
  if (job.negative_prior_prompt)
    job.prompts.negative_prior_prompts.emplace(count, *job.negative_prior_prompt);
  if (job.reference_noise) job.denoise.init_noise = "reference";
}

void load_source(PaintJob& job, ImageReader& reader) {
  const char* const image_option = job.mix.empty() ? "--image" : "--init-image";
  if (!job.image.empty()) job.source.pictures.push_back(reader.read(image_option, job.image));
  if (!job.mask.empty()) job.source.masks.push_back(reader.read("--mask", job.mask));
}

/// "kandinsky-demo" for "models/kandinsky-demo/" and for "." inside of it.
std::string folder_name(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(dir, error);
  return to_utf8(error ? dir : path.filename().string());
}

void set_size(PaintJob& job, Session& session) {
  const kandinsky_engine_info info = session.info();
  const Picture* source = job.source.pictures.empty() ? nullptr : &job.source.pictures.front();
  const Size size = choose_size(job.width, job.height, source, info.native_size,
                                job.denoise.tiling ? info.size_multiple : 1);
  job.denoise.width = size.width;
  job.denoise.height = size.height;
  if (source != nullptr && !(size == Size{source->width, source->height})) {
    session.remark(fmt::format("the picture of {} x {} is painted at {} x {}", source->width,
                               source->height, size.width, size.height));
  }
  if (size.width != info.native_size || size.height != info.native_size) {
    session.remark(
        fmt::format("this model was trained on pictures of {0} x {0}; {1} x {2} may "
                    "look repeated or cut off",
                    info.native_size, size.width, size.height));
  }
}

/// What guides the pictures, and the pictures if they are wanted.
struct Result {
  Embeds embeds;
  std::vector<std::uint8_t> pictures;
};

Result run(Engine& engine, const PaintJob& job, const std::vector<Picture>& mix_pictures) {
  const SourceOptions* source = job.source.pictures.empty() ? nullptr : &job.source;
  if (job.mix.empty() && job.save_embeds.empty()) {
    // The whole task at once: it checks all settings before the first step of the prior.
    return {Embeds(), source == nullptr ? engine.text_to_image(job.prompts, job.denoise)
                                        : engine.image_to_image(job.prompts, job.denoise, *source)};
  }
  auto [embeds, negative_embeds] = make_embeds(engine, job, mix_pictures);
  std::vector<std::uint8_t> pictures;
  if (!job.output.empty()) pictures = engine.paint(embeds, negative_embeds, job.denoise, source);
  return {std::move(embeds), std::move(pictures)};
}

void save_pictures(const PaintJob& job, OutputPlace& output,
                   const std::vector<std::uint8_t>& pictures, const kandinsky_engine_info& info) {
  const std::uint8_t* pixels = pictures.data();
  for (std::size_t i = 0; i < job.denoise.seeds.size(); ++i) {
    NewFile file = output.next_file(job.denoise.seeds[i]);
    const std::string text =
        output.keeps_parameters()
            ? parameters_text(job, i, folder_name(job.model.engine.model_dir), info)
            : std::string();
    save_picture(file.path(), pixels, job.denoise.width, job.denoise.height, text);
    file.keep();
    pixels += pictures.size() / job.denoise.seeds.size();
    print(file.path() + "\n");
  }
}

}  // namespace

void paint(PaintJob job) {
  if (job.output.empty() && job.save_embeds.empty())
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      "--output: no name given; it may be left out beside --save-embeds only");
  fill_lists(job);
  Session session(job.quiet);
  // Bad files and places shall show before the model is loaded.
  ImageReader reader([&] { session.check_interrupt(); });
  load_source(job, reader);
  const std::vector<Picture> mix_pictures = load_mix_pictures(job.mix, reader);
  std::optional<OutputPlace> output;
  if (!job.output.empty()) output.emplace(job.output, job.batch_size);
  if (!job.save_embeds.empty()) check_file_place("--save-embeds", job.save_embeds);
  if (output && job.save_embeds == job.output) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      fmt::format("--save-embeds {}: --output has the same name", job.output));
  }

  session.open(job.model);
  const kandinsky_engine_info info = session.info();
  session.remark(fmt::format("seed {}, {} on {} ({})", job.denoise.seeds.front(), info.precision,
                             info.device, info.reason));
  if (output) set_size(job, session);
  if (output && !output->keeps_parameters())
    session.remark("only PNG files keep the parameters, this picture will not tell them");

  const Result result = session.run([&](Engine& engine) { return run(engine, job, mix_pictures); });
  if (!job.save_embeds.empty()) {
    result.embeds.save(job.save_embeds);
    print(job.save_embeds + "\n");
  }
  if (output) save_pictures(job, *output, result.pictures, info);
}

}  // namespace kandinsky::cli
