#pragma once

#include <utility>
#include <vector>

#include "cli/generate_job.h"
#include "cli/read_image.h"

namespace kandinsky::cli {

/// The images of the items of kind kImage, in order. Throws StatusError.
std::vector<Image> load_mix_images(const std::vector<MixItem>& items, ImageReader& reader);

/// {embeds, negative embeds} of a job whose prompts are filled in: of the mix, or of the prompt
/// alone. The negative ones are empty where guidance is off and nothing else makes them.
/// `images`: of load_mix_images(). Throws StatusError.
std::pair<Embeds, Embeds> make_embeds(Engine& engine, const GenerateJob& job,
                                      const std::vector<Image>& images);

}  // namespace kandinsky::cli
