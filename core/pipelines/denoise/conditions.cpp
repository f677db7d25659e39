#include "pipelines/denoise/conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "options/requests.h"
#include "options/types.h"

namespace kandinsky::pipelines {
namespace {

constexpr double kMaxWeight = 100.0;

void check_ranges(const char* which, const std::vector<Condition>& conditions,
                  const DenoiseRequest& request) {
  const auto num_images = static_cast<int64_t>(request.seeds.size());
  for (size_t i = 0; i < conditions.size(); ++i) {
    const auto refuse = [&](const std::string& what) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("{} {}: {}", which, i + 1, what));
    };
    const auto& [row, image, first_step, last_step, weight] = conditions[i];
    if (row < 0 || row >= kMaxConditionRows)
      refuse(fmt::format("row is {}, expected 0 to {}", row, kMaxConditionRows - 1));
    if (image < 0 || image >= num_images)
      refuse(fmt::format("image is {}, expected 0 to {}", image, num_images - 1));
    if (first_step < 1 || first_step > last_step || last_step > request.num_inference_steps) {
      refuse(fmt::format("steps are {} to {}, expected a range within 1 to {}", first_step,
                         last_step, request.num_inference_steps));
    }
    // Also false for NaN.
    if (!(weight >= -kMaxWeight && weight <= kMaxWeight))
      refuse(fmt::format("weight is {}, expected {} to {}", weight, -kMaxWeight, kMaxWeight));
  }
}

/// Whether the step lies between these fractions of the schedule with its whole length.
bool is_inside(const DenoiseRequest& request, int step, double start, double end) {
  const double steps = request.num_inference_steps;
  return (step - 1) / steps >= start && step / steps <= end;
}

}  // namespace

ConditionPlan::ConditionPlan(const std::vector<Condition>& conditions, int64_t num_images,
                             int num_inference_steps)
    : of_image_(static_cast<size_t>(num_images)) {
  const auto add = [this](const Condition& condition) {
    of_image_[static_cast<size_t>(condition.image)].push_back(condition);
    const auto row = static_cast<size_t>(condition.row);
    if (row >= last_steps_.size()) last_steps_.resize(row + 1);
    last_steps_[row] = std::max(last_steps_[row], condition.last_step);
  };
  for (const Condition& condition : conditions) add(condition);
  if (!conditions.empty()) return;
  for (int64_t i = 0; i < num_images; ++i)
    add({.row = i, .image = i, .first_step = 1, .last_step = num_inference_steps});
}

std::vector<WeightedRow> ConditionPlan::rows(int64_t image, int step) const {
  std::vector<WeightedRow> rows;
  for (const Condition& condition : of_image_[static_cast<size_t>(image)]) {
    if (condition.first_step <= step && step <= condition.last_step)
      rows.push_back({condition.row, condition.weight});
  }
  return rows;
}

int ConditionPlan::last_step(int64_t row) const {
  const auto index = static_cast<size_t>(row);
  return index < last_steps_.size() ? last_steps_[index] : 0;
}

bool is_guided(const DenoiseRequest& request, int step) {
  return request.guidance_scale > 1.0 &&
         is_inside(request, step, request.guidance_start, request.guidance_end);
}

bool is_hinted(const DenoiseRequest& request, int step) {
  return !request.hints.empty() && is_inside(request, step, request.hint_start, request.hint_end);
}

bool is_guided(const DenoiseRequest& request) {
  const int skipped_steps = request.num_inference_steps - request.num_running_steps();
  for (int step = skipped_steps + 1; step <= request.num_inference_steps; ++step)
    if (is_guided(request, step)) return true;
  return false;
}

void check_conditions(const DenoiseRequest& request) {
  check_ranges("condition", request.conditions, request);
  check_ranges("negative condition", request.negative_conditions, request);
  if (request.conditions.empty() && request.negative_conditions.empty()) return;
  const auto num_images = static_cast<int64_t>(request.seeds.size());
  const ConditionPlan plan(request.conditions, num_images, request.num_inference_steps);
  const ConditionPlan negative_plan(request.negative_conditions, num_images,
                                    request.num_inference_steps);
  const int skipped_steps = request.num_inference_steps - request.num_running_steps();
  for (int64_t image = 0; image < num_images; ++image) {
    for (int step = skipped_steps + 1; step <= request.num_inference_steps; ++step) {
      const auto refuse = [&](std::string_view what) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("image {}, counted from 0, {} in step {}", image, what, step));
      };
      const std::vector<WeightedRow> rows = plan.rows(image, step);
      if (rows.empty()) refuse("has no condition");
      const bool guided = is_guided(request, step);
      if (!guided || request.guidance_threshold < 1.0) {
        double sum = 0.0;
        for (const WeightedRow& row : rows) sum += row.weight;
        if (!(sum > 0.0)) {
          refuse(guided ? "may be without guidance because of guidance_threshold, so its weights "
                          "must sum to more than 0"
                        : "has no guidance, so its weights must sum to more than 0");
        }
      }
      if (!guided) continue;
      const std::vector<WeightedRow> negative_rows = negative_plan.rows(image, step);
      if (negative_rows.empty()) refuse("has no negative condition");
      if (negative_rows.size() > 1) refuse("has more than one negative condition");
      if (negative_rows.front().weight != 1.0)
        refuse("has a negative condition with a weight other than 1");
    }
  }
}

}  // namespace kandinsky::pipelines
