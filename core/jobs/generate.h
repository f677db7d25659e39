#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "jobs/job.h"

namespace kandinsky::jobs {

/// The lists of the library's options: the same texts for all images, and the seeds.
void fill_lists(Job& job);

/// Sets the images' size, see canvas.h.
void set_size(Job& job, const kandinsky_engine_info& info);

/// The options of a task, including the start images.
Options task_options(const Job& job, const char* operation);

/// The embeds of the images, if requested, and their pixels.
struct Result {
  const std::uint8_t* image(std::size_t index) const { return images.get() + index * image_bytes; }

  Embeds embeds;
  std::unique_ptr<std::uint8_t[]> images;  ///< [one for each seed, height, width, 3], if wanted
  std::size_t image_bytes = 0;             ///< of each
};

/// Generates the images of a job whose lists and size are set; without `wants_images` only its
/// embeds. Throws StatusError.
Result generate(Engine& engine, const Job& job, bool wants_images, bool wants_embeds);

/// "kandinsky-demo" for "models/kandinsky-demo/" and for "." in it.
std::string folder_name(const std::string& dir);

}  // namespace kandinsky::jobs
