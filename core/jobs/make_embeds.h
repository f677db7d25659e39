#pragma once

#include <utility>

#include "jobs/job.h"

namespace kandinsky::jobs {

/// Whether the job's denoising uses negative embeds.
bool is_guided(const Job& job);

/// {embeds, negative embeds} of a job whose lists are filled in: of the mix, or of the prompt
/// alone. The negative ones are empty if guidance is off. Throws StatusError.
std::pair<Embeds, Embeds> make_embeds(Engine& engine, const Job& job);

}  // namespace kandinsky::jobs
