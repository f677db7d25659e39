#include "jobs/generate.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "jobs/canvas.h"
#include "jobs/job.h"
#include "jobs/make_embeds.h"
#include "jobs/text.h"

namespace kandinsky::jobs {

void fill_lists(Job& job) {
  const std::size_t count = job.seeds.size();
  job.settings.set("seeds", job.seeds);
  if (!job.variation_seeds.empty()) job.settings.set("variation_seeds", job.variation_seeds);
  job.settings.set("prompts", std::vector(count, job.prompt.value_or("")));
  if (job.negative_prompt)
    job.settings.set("negative_prompts", std::vector(count, *job.negative_prompt));
  if (job.negative_prior_prompt)
    job.settings.set("negative_prior_prompts", std::vector(count, *job.negative_prior_prompt));
}

void set_size(Job& job, const kandinsky_engine_info& info) {
  const Image* source = job.images.empty() ? nullptr : &job.images.front();
  job.size = choose_size(job.width, job.height, source, info.native_size,
                         job.settings.is_changed("tiling") ? info.size_multiple : 1);
  job.settings.set("width", std::int64_t{job.size.width});
  job.settings.set("height", std::int64_t{job.size.height});
}

Options task_options(const Job& job, const char* operation) {
  Options options = job.settings.options(operation);
  if (!job.images.empty()) options.set("images", job.images).set("masks", job.masks);
  return options;
}

namespace {

/// Without values: they would use the memory before the engine can refuse the job for its size.
std::unique_ptr<std::uint8_t[]> allocate(std::size_t size, const Job& job) {
  try {
    return std::make_unique_for_overwrite<std::uint8_t[]>(size);
  } catch (const std::bad_alloc&) {
    throw StatusError(KANDINSKY_OUT_OF_MEMORY,
                      fmt::format("not enough memory for {} images of {} x {} pixels",
                                  job.seeds.size(), job.size.width, job.size.height));
  }
}

}  // namespace

Result generate(Engine& engine, const Job& job, bool wants_images, bool wants_embeds) {
  Result result;
  std::size_t size = 0;
  if (wants_images) {
    result.image_bytes = std::size_t{3} * static_cast<std::size_t>(job.size.width) *
                         static_cast<std::size_t>(job.size.height);
    size = job.seeds.size() * result.image_bytes;
    result.images = allocate(size, job);
  }
  std::uint8_t* const images = result.images.get();
  if (job.mix.empty() && !wants_embeds) {
    // The whole task at once: it checks all settings before the first step of the prior.
    if (job.images.empty()) {
      engine.text_to_image(task_options(job, "text_to_image"), images, size);
    } else {
      engine.image_to_image(task_options(job, "image_to_image"), images, size);
    }
    return result;
  }
  auto [embeds, negative_embeds] = make_embeds(engine, job);
  if (wants_images)
    engine.generate(embeds, negative_embeds, task_options(job, "generate"), images, size);
  result.embeds = std::move(embeds);
  return result;
}

std::string folder_name(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(dir, error);
  return to_utf8(error ? dir : path.filename().string());
}

}  // namespace kandinsky::jobs
