#pragma once

#include <cstdint>
#include <vector>

#include "options/requests.h"
#include "options/types.h"

namespace kandinsky::pipelines {

/// Rows that embeds may have where conditions say which of them are at work.
inline constexpr int64_t kMaxConditionRows = 1024;

/// A row of embeds at work, and how much it counts.
struct WeightedRow {
  int64_t row = 0;
  double weight = 1.0;
};

/// Which rows of embeds guide which image in which step. Steps are counted from 1 over the whole
/// schedule.
class ConditionPlan {
 public:
  /// conditions empty: row i guides image i throughout.
  ConditionPlan(const std::vector<Condition>& conditions, int64_t num_images,
                int num_inference_steps);

  /// In the order of the conditions.
  std::vector<WeightedRow> rows(int64_t image, int step) const;

  /// The last step in which any image asks for the row; 0: none does.
  int last_step(int64_t row) const;

 private:
  std::vector<std::vector<Condition>> of_image_;
  std::vector<int> last_steps_;  ///< by row
};

/// Whether the request guides this step, counted from 1 over the whole schedule: it lies inside of
/// guidance_start and guidance_end with its whole length.
bool is_guided(const DenoiseRequest& request, int step);

/// Whether any step that runs is guided; with a guidance_threshold the others may not be.
bool is_guided(const DenoiseRequest& request);

/// Whether hints have an effect in this step, counted alike: it lies inside of hint_start and
/// hint_end.
bool is_hinted(const DenoiseRequest& request, int step);

/// Throws Error(kInvalidArgument) for conditions out of range or that leave an image without any
/// in a step that runs.
void check_conditions(const DenoiseRequest& request);

}  // namespace kandinsky::pipelines
