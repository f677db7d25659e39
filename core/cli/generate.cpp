#include <fmt/format.h>

#include <filesystem>
#include <numeric>
#include <string>
#include <system_error>
#include <vector>

#include "cli/arguments.h"
#include "cli/canvas.h"
#include "cli/generate_job.h"
#include "cli/make_embeds.h"
#include "cli/output_place.h"
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

/// The lists of the library's options: the same texts for all images, seeds that count up.
void fill_lists(GenerateJob& job) {
  const auto count = static_cast<std::size_t>(job.batch_size);
  const std::uint64_t seed = parse_seed("--seed", job.seed, job.batch_size);
  // As hosts do: variations are variations of one image.
  const bool varies = job.settings.number("variation_strength") > 0;
  job.seeds = varies ? std::vector(count, seed) : counted_from(seed, count);
  job.settings.set("seeds", job.seeds);
  if (varies) {
    job.variation_seeds =
        counted_from(parse_seed("--variation-seed", job.variation_seed, job.batch_size), count);
    job.settings.set("variation_seeds", job.variation_seeds);
  }
  job.settings.set("prompts", std::vector(count, job.prompt.value_or("")));
  if (job.negative_prompt)
    job.settings.set("negative_prompts", std::vector(count, *job.negative_prompt));
  if (job.negative_prior_prompt)
    job.settings.set("negative_prior_prompts", std::vector(count, *job.negative_prior_prompt));
}

void load_source(GenerateJob& job, ImageReader& reader) {
  const char* const image_option = job.mix.empty() ? "--image" : "--init-image";
  if (!job.image.empty()) job.images.push_back(reader.read(image_option, job.image));
  if (!job.mask.empty()) job.masks.push_back(reader.read("--mask", job.mask));
}

/// "kandinsky-demo" for "models/kandinsky-demo/" and for "." inside of it.
std::string folder_name(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(dir, error);
  return to_utf8(error ? dir : path.filename().string());
}

void set_size(GenerateJob& job, Session& session) {
  const kandinsky_engine_info info = session.info();
  const Image* source = job.images.empty() ? nullptr : &job.images.front();
  const Size size = choose_size(job.width, job.height, source, info.native_size,
                                job.settings.is_changed("tiling") ? info.size_multiple : 1);
  job.size = size;
  job.settings.set("width", std::int64_t{size.width});
  job.settings.set("height", std::int64_t{size.height});
  if (source != nullptr && !(size == Size{source->width, source->height})) {
    session.remark(fmt::format("the image of {} x {} is generated at {} x {}", source->width,
                               source->height, size.width, size.height));
  }
  if (size.width != info.native_size || size.height != info.native_size) {
    session.remark(
        fmt::format("this model was trained on images of {0} x {0}; {1} x {2} may "
                    "look repeated or cut off",
                    info.native_size, size.width, size.height));
  }
}

/// What guides the images, and the images if they are wanted.
struct Result {
  Embeds embeds;
  std::vector<std::uint8_t> images;
};

Options task_options(const GenerateJob& job, const char* operation) {
  Options options = job.settings.options(operation);
  if (!job.images.empty()) options.set("images", job.images).set("masks", job.masks);
  return options;
}

Result run(Engine& engine, const GenerateJob& job, const std::vector<Image>& mix_images) {
  std::vector<std::uint8_t> images(
      job.output.empty() ? 0
                         : job.seeds.size() * 3 * static_cast<std::size_t>(job.size.width) *
                               static_cast<std::size_t>(job.size.height));
  if (job.mix.empty() && job.save_embeds.empty()) {
    // The whole task at once: it checks all settings before the first step of the prior.
    if (job.images.empty()) {
      engine.text_to_image(task_options(job, "text_to_image"), images.data(), images.size());
    } else {
      engine.image_to_image(task_options(job, "image_to_image"), images.data(), images.size());
    }
    return {Embeds(), std::move(images)};
  }
  auto [embeds, negative_embeds] = make_embeds(engine, job, mix_images);
  if (!images.empty()) {
    engine.generate(embeds, negative_embeds, task_options(job, "generate"), images.data(),
                    images.size());
  }
  return {std::move(embeds), std::move(images)};
}

void save_images(const GenerateJob& job, OutputPlace& output,
                 const std::vector<std::uint8_t>& images, const kandinsky_engine_info& info) {
  const std::uint8_t* pixels = images.data();
  for (std::size_t i = 0; i < job.seeds.size(); ++i) {
    NewFile file = output.next_file(job.seeds[i]);
    const std::string text =
        output.keeps_parameters()
            ? parameters_text(job, i, folder_name(job.settings.text("model_dir")), info)
            : std::string();
    save_image(file.path(), pixels, job.size.width, job.size.height, text);
    file.keep();
    pixels += images.size() / job.seeds.size();
    print(file.path() + "\n");
  }
}

}  // namespace

void generate(GenerateJob job) {
  if (job.output.empty() && job.save_embeds.empty())
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      "--output: no name given; it may be left out beside --save-embeds only");
  fill_lists(job);
  Session session(job.quiet);
  // Bad files and places shall show before the model is loaded.
  ImageReader reader([&] { session.check_interrupt(); });
  load_source(job, reader);
  const std::vector<Image> mix_images = load_mix_images(job.mix, reader);
  std::optional<OutputPlace> output;
  if (!job.output.empty()) output.emplace(job.output, job.batch_size);
  if (!job.save_embeds.empty()) check_file_place("--save-embeds", job.save_embeds);
  if (output && job.save_embeds == job.output) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      fmt::format("--save-embeds {}: --output has the same name", job.output));
  }

  session.open(job);
  const kandinsky_engine_info info = session.info();
  session.remark(fmt::format("seed {}, {} on {} ({})", job.seeds.front(), info.precision,
                             info.device, info.reason));
  if (output) set_size(job, session);
  if (output && !output->keeps_parameters())
    session.remark("only PNG files keep the parameters; this image is saved without them");

  const Result result = session.run([&](Engine& engine) { return run(engine, job, mix_images); });
  if (!job.save_embeds.empty()) {
    result.embeds.save(job.save_embeds);
    print(job.save_embeds + "\n");
  }
  if (output) save_images(job, *output, result.images, info);
}

}  // namespace kandinsky::cli
