#pragma once

#include <memory>

#include "io/model_dir.h"
#include "pipelines/families/kandinsky_2/folders.h"
#include "pipelines/families/kandinsky_2/kind.h"
#include "pipelines/family.h"
#include "pipelines/pipeline.h"

namespace kandinsky::pipelines {

/// The inpainting model is another folder's UNet with channels for the masked image and its mask. A
/// model that is one itself uses it for masked images, and for all others with a full mask.
/// kind: must outlive the result.
std::unique_ptr<Pipeline> open_kandinsky_2(const Kandinsky2Kind& kind, const io::ModelDir& model,
                                           const CompanionDirs& companions,
                                           const Placements& placements);

/// A family of this kind.
template <const Kandinsky2Kind& kKind>
Family family_of(const char* name) {
  return {.name = name,
          .role_of = kKind.role_of,
          .open =
              [](const io::ModelDir& model, const CompanionDirs& companions,
                 const Placements& placements) {
                return open_kandinsky_2(kKind, model, companions, placements);
              },
          .check_component =
              [](const io::ModelDir& folder, const io::ComponentInfo& component) {
                return check_component(kKind, folder, component);
              },
          .may_lack =
              [](const io::ModelDir& folder, const io::ComponentInfo& component) {
                return component.name == "image_encoder" && !has_image_encoder(folder);
              },
          .native_size = [](const io::ModelDir& folder) { return native_size(kKind, folder); }};
}

}  // namespace kandinsky::pipelines
