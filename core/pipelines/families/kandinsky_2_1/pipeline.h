#pragma once

#include "pipelines/family.h"

namespace kandinsky::pipelines {

/// Kandinsky 2.1: CLIP text and prior for the image embedding, MultilingualCLIP for the text,
/// text_image UNet, MoVQ.
const char* kandinsky_2_1_role(const io::ModelDir& folder);

/// The inpainting model is another folder's UNet with 9 channels. A model that has one itself
/// generates masked images with it, and all others as images that are masked throughout.
std::unique_ptr<Pipeline> open_kandinsky_2_1(const io::ModelDir& model,
                                             const CompanionDirs& companions,
                                             const Placements& placements);

}  // namespace kandinsky::pipelines
