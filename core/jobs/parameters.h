#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "jobs/job.h"
#include "jobs/settings.h"

namespace kandinsky::jobs {

/// The text of image `i` that Automatic1111-style hosts store as "parameters" in a PNG and
/// paste back: the prompt, a line with the negative prompt, a line of settings. It has everything
/// that changes pixels, under the host's names where they exist, except the names of input images;
/// settings that are off are left out. `model`: name of the model's folder.
std::string parameters_text(const Job& job, std::size_t i, const std::string& model,
                            const kandinsky_engine_info& info);

/// The sampler's name: by default the model's own.
std::string sampler_of(const Settings& settings, const kandinsky_engine_info& info);

/// `text` as a JSON string, in quotes.
std::string json_string(std::string_view text);

}  // namespace kandinsky::jobs
