#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/job.h"

namespace kandinsky::jobs {

/// The lists of the library's options: the same texts for all images, and the seeds.
void fill_lists(Job& job);

/// The size that the images get, as canvas.h says.
void set_size(Job& job, const kandinsky_engine_info& info);

/// The options of a task, the images to start from included.
Options task_options(const Job& job, const char* operation);

/// What guides the images, if that was asked for, and their pixels.
struct Result {
  Embeds embeds;
  std::vector<std::uint8_t> images;  ///< [one for each seed, height, width, 3]
};

/// Generates the images of a job whose lists and size are set; without `wants_images` its embeds
/// alone. Throws StatusError.
Result generate(Engine& engine, const Job& job, bool wants_images, bool wants_embeds);

/// "kandinsky-demo" for "models/kandinsky-demo/" and for "." inside of it.
std::string folder_name(const std::string& dir);

}  // namespace kandinsky::jobs
