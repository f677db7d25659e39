/// Speed-ups: faster ways to compute the plain formulas, with the same values up to
/// rounding. Each can be disabled, for measuring and debugging.
#pragma once

#include <string>
#include <vector>

#include "base/span.h"

namespace kandinsky::tensor {

struct Speedups {
  bool packed_weights = true;
  bool stored_matrices = true;
  bool fused_operations = true;
  bool fused_norms = true;
  bool row_bands = true;
  bool latent_grid_norms = true;
  bool winograd = true;
  bool split_upsampling = true;
  bool batched_attention = true;
  bool tiled_attention = true;
  bool skipped_padding = true;
  bool prior_kv_cache = true;
  bool prior_batches = true;
  bool context_kv_cache = true;
  bool shared_start = true;
  bool images_at_once = true;
  bool prompt_cache = true;
};

/// A row of the table of all of them.
struct SpeedupInfo {
  const char* name;
  const char* description;  ///< one line for users
  bool Speedups::*flag;
};

Span<const SpeedupInfo> speedups();

/// All except these. Throws Error(kInvalidArgument) for an unknown name, listing the known ones.
Speedups speedups_without(const std::vector<std::string>& names);

}  // namespace kandinsky::tensor
