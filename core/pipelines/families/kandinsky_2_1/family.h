#pragma once

#include "pipelines/family.h"

namespace kandinsky::pipelines {

/// Kandinsky 2.1: CLIP text and prior for the image embedding, MultilingualCLIP for the text,
/// text_image UNet, MoVQ.
Family kandinsky_2_1();

}  // namespace kandinsky::pipelines
