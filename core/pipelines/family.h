/// What a model family is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "io/model_dir.h"
#include "pipelines/pipeline.h"
#include "tensor/device.h"

namespace kandinsky::pipelines {

/// Folders that belong to a model.
struct CompanionDirs {
  std::string_view prior;                   ///< empty: to be found
  std::optional<std::string_view> inpaint;  ///< absent: to be found, if there is one; empty: none
  Span<const std::string> places{};         ///< where they are looked for, after beside the model
};

/// Where a model's networks run.
struct Placements {
  tensor::Placement decoder;
  tensor::Placement prior;  ///< of what the prior's folder holds
};

struct Family {
  const char* name;
  /// What a folder is to this family, from its index alone: "model" (a decoder), "hint" (one that
  /// needs hints), "inpaint" (its counterpart for masks), "prior"; "" for a folder of no part of
  /// it.
  const char* (*role_of)(const io::ModelDir& folder);
  /// Throws Error when the folders or their parts do not fit.
  std::unique_ptr<Pipeline> (*open)(const io::ModelDir& model, const CompanionDirs& companions,
                                    const Placements& placements);
  /// Checks a listed component as opening and running would, but for its weights' numbers; false
  /// for one that no run needs. Throws Error for one that is missing, corrupt, or does not fit its
  /// config or tokenizer.
  bool (*check_component)(const io::ModelDir& model, const io::ComponentInfo& component);
  /// Whether a listed component is missing and no error, because the model works without it.
  bool (*may_lack)(const io::ModelDir& model, const io::ComponentInfo& component);
  /// Side in pixels of the training images; 0 for a prior folder. Throws Error for a bad config.
  int64_t (*native_size)(const io::ModelDir& model);
};

}  // namespace kandinsky::pipelines
