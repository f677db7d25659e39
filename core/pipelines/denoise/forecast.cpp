#include "pipelines/denoise/forecast.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/matmul.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "options/requests.h"

namespace kandinsky::pipelines {
namespace {

// Values as published.
constexpr int kDegree = 3;
constexpr size_t kHistory = 6;
constexpr double kRidge = 1.0;
constexpr double kStepsOfScale = 50.0;
constexpr double kShareOfTheEnd = 0.1;

/// Chebyshev polynomials of degree 0 to kDegree at a step, [1, kDegree + 1].
at::Tensor polynomials_at(int index) {
  const double x = 2.0 * index / kStepsOfScale - 1.0;
  at::Tensor values = at::empty({1, kDegree + 1}, at::kDouble);
  auto* const data = values.mutable_data_ptr<double>();
  data[0] = 1.0;
  data[1] = x;
  for (int i = 2; i <= kDegree; ++i) data[i] = 2.0 * x * data[i - 1] - data[i - 2];
  return values;
}

}  // namespace

Forecast::Forecast(const DenoiseRequest& request)
    : is_on_(request.forecast),
      warmup_(request.forecast_warmup),
      first_of_the_end_(
          static_cast<int>(std::floor((1.0 - kShareOfTheEnd) * request.num_running_steps()))),
      interval_(request.forecast_interval),
      growth_(request.forecast_growth),
      blend_(request.forecast_blend),
      images_(request.forecast ? request.seeds.size() : 0) {}

at::Tensor Forecast::begin(int64_t image, int index, std::vector<int64_t> rows) {
  if (!is_on_) return {};
  Image& own = images_[static_cast<size_t>(image)];
  if (own.rows != rows) own = {.rows = std::move(rows), .interval = interval_, .history = {}};
  const bool is_due = (own.in_a_row + 1) % static_cast<int>(own.interval) == 0;
  if (own.computed < warmup_ || index >= first_of_the_end_ || is_due) return {};
  ++own.in_a_row;
  return extrapolate(own, index);
}

void Forecast::keep(int64_t image, int index, const at::Tensor& pred_original_sample) {
  if (!is_on_) return;
  Image& own = images_[static_cast<size_t>(image)];
  if (own.computed >= warmup_) own.interval += growth_;
  ++own.computed;
  own.in_a_row = 0;
  if (own.history.size() == kHistory) own.history.erase(own.history.begin());
  own.history.emplace_back(index, pred_original_sample);
}

/// The fit of a polynomial by ridge regression is a sum of the history's items by weights that do
/// not depend on their values; so is the line through the last two. Unlike the paper, the fit
/// is of the differences from the last item: the ridge would shrink the values themselves to zero,
/// and dull the colours.
at::Tensor Forecast::extrapolate(const Image& image, int index) const {
  const auto count = static_cast<int64_t>(image.history.size());
  at::Tensor basis = at::empty({count, kDegree + 1}, at::kDouble);
  for (int64_t i = 0; i < count; ++i)
    basis.select(0, i).copy_(polynomials_at(image.history[static_cast<size_t>(i)].first)[0]);
  const at::Tensor normal =
      at::matmul(basis.t(), basis) + kRidge * at::eye(kDegree + 1, at::kDouble);
  const at::Tensor solution = at::linalg_solve(normal, polynomials_at(index).t());
  const at::Tensor weights = (blend_ * at::matmul(basis, solution)).flatten().contiguous();
  auto* const weight = weights.mutable_data_ptr<double>();
  weight[count - 1] += blend_ - weights.sum().item<double>();
  weight[count - 1] += (1.0 - blend_) * 1.5;
  weight[count - 2] -= (1.0 - blend_) * 0.5;
  at::Tensor sum = weight[0] * image.history.front().second;
  for (int64_t i = 1; i < count; ++i)
    sum = sum + weight[i] * image.history[static_cast<size_t>(i)].second;
  return sum;
}

}  // namespace kandinsky::pipelines
