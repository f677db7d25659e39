/// The folders that make up a model of Kandinsky 2, and whether they fit each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "io/json_config.h"
#include "io/model_dir.h"
#include "nn/movq/movq_config.h"
#include "nn/unet/unet.h"
#include "pipelines/families/kandinsky_2/kind.h"
#include "pipelines/family.h"
#include "pipelines/images/encode_images.h"
#include "samplers/noise_schedule.h"

namespace kandinsky::pipelines {

/// Whether the folder is a prior of this family.
inline bool is_prior(const Kandinsky2Kind& kind, const io::ModelDir& folder) {
  return std::string_view(kind.role_of(folder)) == "prior";
}

/// The folder named, or the one that belongs to the model: beside it "<model>-prior", else among
/// the folders there and in the other places the one whose name fits best. Throws Error(kNotFound)
/// if there is none, Error(kIncompatible) for a folder of another kind.
io::ModelDir open_prior_dir(const Kandinsky2Kind& kind, const io::ModelDir& model,
                            const CompanionDirs& dirs);

/// Likewise; nothing if none is wanted or none was named and none is there. Throws
/// Error(kInvalidArgument) for a folder whose UNet is none for inpainting, Error(kIncompatible) for
/// one of another family or of other sizes than the model.
std::optional<io::ModelDir> open_inpaint_dir(const Kandinsky2Kind& kind, const io::ModelDir& model,
                                             const CompanionDirs& dirs);

/// Throws Error(kIncompatible) unless every network of both folders agrees on the width of
/// embeddings.
void check_widths(const Kandinsky2Kind& kind, const io::ModelDir& model, const io::ModelDir& prior);

/// Throws Error(kIncompatible) unless every network that reads texts takes the rows of tokens that
/// they come in.
void check_text_lengths(const Kandinsky2Kind& kind, const io::ModelDir& model,
                        const io::ModelDir& prior);

/// Throws Error(kUnsupported) unless the UNet takes what the family conditions on, and takes and
/// gives channels that fit the latents.
void check_unet(const Kandinsky2Kind& kind, const io::ModelDir& model, const nn::UNetConfig& unet,
                const nn::MovqConfig& movq);

/// Throws Error(kIncompatible) for a tokenizer with more tokens than the text encoder beside it
/// has.
void check_vocabulary(const io::JsonConfig& text_encoder, int64_t tokens);

/// The schedule of a decoder folder. Throws Error as its readers.
samplers::NoiseSchedule read_schedule(const io::ModelDir& model);

/// How a prior folder's image encoder wants its images. Throws Error as its reader.
ImageProcessor read_image_processor(const io::ModelDir& prior);

/// Whether the prior's folder has its image encoder, which texts alone do not need: see
/// zero_image_file.h. Throws Error as the weights' reader, but for what is missing.
bool has_image_encoder(const io::ModelDir& prior);

/// See Family.
bool check_component(const Kandinsky2Kind& kind, const io::ModelDir& folder,
                     const io::ComponentInfo& component);
int64_t native_size(const Kandinsky2Kind& kind, const io::ModelDir& folder);

/// Whether the folder's UNet is one for inpainting.
bool is_inpainting_dir(const io::ModelDir& model);

}  // namespace kandinsky::pipelines
