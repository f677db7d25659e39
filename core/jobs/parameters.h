#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "jobs/job.h"

namespace kandinsky::jobs {

/// The text of image `i` that Automatic1111-style hosts keep under "parameters" in a PNG and
/// paste back: the prompt, a line with the negative prompt, a line of settings. It has all that
/// changes pixels, under the host's words where it has some, but the names of the images that it
/// was generated from; what is off is left out. `model`: name of the model's folder.
std::string parameters_text(const Job& job, std::size_t i, const std::string& model,
                            const kandinsky_engine_info& info);

/// `text` in quotes, escaped as JSON wants it.
std::string json_string(std::string_view text);

}  // namespace kandinsky::jobs
