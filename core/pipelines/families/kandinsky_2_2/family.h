#pragma once

#include "pipelines/family.h"

namespace kandinsky::pipelines {

/// Kandinsky 2.2: CLIP text and prior for the image embedding, which alone conditions the UNet;
/// MoVQ. A third kind of decoder takes a depth map as a hint.
Family kandinsky_2_2();

}  // namespace kandinsky::pipelines
