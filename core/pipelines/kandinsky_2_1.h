#pragma once

#include "pipelines/family.h"

namespace kandinsky::pipelines {

/// Kandinsky 2.1: CLIP text and prior for the image embedding, MultilingualCLIP for the text,
/// text_image UNet, MoVQ.
bool recognizes_kandinsky_2_1(const io::ModelDir& model);

std::unique_ptr<Pipeline> open_kandinsky_2_1(const io::ModelDir& model,
                                             const CompanionDirs& companions,
                                             tensor::Placement placement);

}  // namespace kandinsky::pipelines
