#pragma once

#include <utility>

#include "jobs/job.h"

namespace kandinsky::jobs {

/// {embeds, negative embeds} of a job whose lists are filled in: of the mix, or of the prompt
/// alone. The negative ones are empty if guidance is off and nothing else makes them. Throws
/// StatusError.
std::pair<Embeds, Embeds> make_embeds(Engine& engine, const Job& job);

}  // namespace kandinsky::jobs
