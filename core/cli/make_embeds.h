#pragma once

#include <utility>
#include <vector>

#include "cli/paint_job.h"
#include "cli/read_image.h"

namespace kandinsky::cli {

/// The pictures of the items of kind kImage, in order. Throws StatusError.
std::vector<Picture> load_mix_pictures(const std::vector<MixItem>& items, ImageReader& reader);

/// {embeds, negative embeds} of a job whose prompts are filled in: of the mix, or of the prompt
/// alone. The negative ones are empty where guidance is off and nothing else makes them.
/// `pictures`: of load_mix_pictures(). Throws StatusError.
std::pair<Embeds, Embeds> make_embeds(Engine& engine, const PaintJob& job,
                                      const std::vector<Picture>& pictures);

}  // namespace kandinsky::cli
