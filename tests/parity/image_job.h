/// Runs that make_image_references.py recorded, as requests.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"
#include "parity/reference.h"

namespace kandinsky::parity {

/// Embeds as recorded, so that the stages before cannot hide or cause a difference.
struct ImageJob {
  pipelines::Embeds embeds;
  pipelines::Embeds negative_embeds;
  DenoiseRequest request;
};

/// The recorded cases as one batch. They agree on all but embeds, seeds, latents and masks.
ImageJob read_image_job(const Reference& reference, const std::vector<std::string>& names);

/// On the CPU, in fp32.
engine::Engine open_engine(const std::string& folder);

/// Denoises, and compares latents and 8-bit image with the record.
void expect_reference_image(engine::Engine& engine, const Reference& reference,
                            const std::string& name, const ImageJob& job);

/// The image that the case starts from, encoded by the engine.
at::Tensor encode_source(engine::Engine& engine, const Reference& reference,
                         const std::string& name);

}  // namespace kandinsky::parity
