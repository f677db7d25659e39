#include "jobs/generate.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/generate_job.h"
#include "cli/output_place.h"
#include "cli/read_image.h"
#include "cli/session.h"
#include "cli/streams.h"
#include "jobs/canvas.h"
#include "jobs/job.h"
#include "jobs/parameters.h"

namespace kandinsky::cli {
namespace {

std::vector<std::uint64_t> counted_from(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

/// As in hosts, variations are variations of one image.
void draw_seeds(GenerateJob& job) {
  const auto count = static_cast<std::size_t>(job.batch_size);
  const std::uint64_t seed = parse_seed("--seed", job.seed, job.batch_size);
  const bool varies = job.settings.number("variation_strength") > 0;
  job.seeds = varies ? std::vector(count, seed) : counted_from(seed, count);
  if (varies) {
    job.variation_seeds =
        counted_from(parse_seed("--variation-seed", job.variation_seed, job.batch_size), count);
  }
}

void load_source(GenerateJob& job, ImageReader& reader) {
  const char* const image_option = job.mix.empty() ? "--image" : "--init-image";
  if (!job.image.empty()) job.images.push_back(reader.read(image_option, job.image));
  if (!job.mask.empty()) job.masks.push_back(reader.read("--mask", job.mask));
  for (const jobs::MixItem& item : job.mix) {
    if (item.kind == jobs::MixItem::Kind::kImage)
      job.mix_images.push_back(reader.read("--image", item.value));
  }
  const auto set = [&](const char* setting, const char* option, const std::string& path) {
    if (path.empty()) return;
    std::vector<Image> images;
    images.push_back(reader.read(option, path));
    job.settings.set(setting, std::move(images));
  };
  set("hints", "--hint", job.hint);
  set("prior_images", "--prior-image", job.prior_image);
}

void say_size(const GenerateJob& job, Session& session) {
  const std::int32_t native = session.info().native_size;
  const jobs::Size& size = job.size;
  const Image* source = job.images.empty() ? nullptr : &job.images.front();
  if (source != nullptr && !(size == jobs::Size{source->width, source->height})) {
    session.remark(fmt::format("the image of {} x {} is generated at {} x {}", source->width,
                               source->height, size.width, size.height));
  }
  if (size.width != native || size.height != native) {
    session.remark(
        fmt::format("this model was trained on images of {0} x {0}; {1} x {2} may "
                    "look repeated or cut off",
                    native, size.width, size.height));
  }
}

void save_images(const GenerateJob& job, OutputPlace& output, const jobs::Result& result,
                 const kandinsky_engine_info& info) {
  for (std::size_t i = 0; i < job.seeds.size(); ++i) {
    NewFile file = output.next_file(job.seeds[i]);
    const std::string text =
        output.keeps_parameters()
            ? jobs::parameters_text(job, i, jobs::folder_name(job.settings.text("model_dir")), info)
            : std::string();
    save_image(file.path(), result.image(i), job.size.width, job.size.height, text);
    file.keep();
    print(file.path() + "\n");
  }
}

}  // namespace

void generate(GenerateJob job) {
  if (job.output.empty() && job.save_embeds.empty())
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      "--output: no name given; it is optional only with --save-embeds");
  draw_seeds(job);
  jobs::fill_lists(job);
  Session session(job.quiet);
  // Report bad files and places before loading the model.
  ImageReader reader([&] { session.check_interrupt(); });
  load_source(job, reader);
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
  if (output) {
    jobs::set_size(job, info);
    say_size(job, session);
  }
  if (output && !output->keeps_parameters())
    session.remark("only PNG files keep the parameters; this image is saved without them");

  const jobs::Result result = session.run([&](Engine& engine) {
    return jobs::generate(engine, job, output.has_value(), !job.save_embeds.empty());
  });
  if (!job.save_embeds.empty()) {
    result.embeds.save(job.save_embeds);
    print(job.save_embeds + "\n");
  }
  if (output) save_images(job, *output, result, info);
}

}  // namespace kandinsky::cli
