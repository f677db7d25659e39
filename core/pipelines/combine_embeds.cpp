#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "pipelines/embeds.h"

namespace kandinsky::pipelines {
namespace {

Error bad_mix(std::string_view what) {
  return {ErrorCode::kInvalidArgument, fmt::format("mix: {}", what)};
}

/// An item of the mix.
struct Share {
  at::Tensor image_embeds;  ///< [B, E]
  double weight = 0.0;
};

void check_weights(Span<const double> weights, MixMethod method) {
  for (size_t i = 0; i < weights.size(); ++i) {
    // Written so that a NaN is refused.
    if (!(std::abs(weights[i]) <= kMaxMixWeight)) {
      throw bad_mix(fmt::format("weight {} is {}, expected {:g} to {:g}", i + 1, weights[i],
                                -kMaxMixWeight, kMaxMixWeight));
    }
    if (method == MixMethod::kSlerp && weights[i] < 0.0) {
      throw bad_mix(fmt::format(
          "weight {} is {}; spherical interpolation goes between the items, expected none below 0",
          i + 1, weights[i]));
    }
  }
  const auto is_zero = [](double weight) { return weight == 0.0; };
  if (method == MixMethod::kSlerp && std::all_of(weights.begin(), weights.end(), is_zero)) {
    throw bad_mix("all weights are 0; spherical interpolation needs one above 0");
  }
}

/// The number of rows of the mix, and a check that all items fit.
int64_t check_items(Span<const Embeds* const> items, const Embeds& text) {
  const at::Tensor& first = items.front()->at(kImageEmbeds);
  int64_t rows = text.batch_size();
  for (const Embeds* item : items) rows = std::max(rows, item->batch_size());
  const auto check = [&](const Embeds& item, std::string_view name) {
    const at::Tensor& image_embeds = item.at(kImageEmbeds);
    if (image_embeds.dim() == 2 && image_embeds.size(1) == first.size(1) &&
        (image_embeds.size(0) == rows || image_embeds.size(0) == 1)) {
      return;
    }
    throw bad_mix(fmt::format("{} has image_embeds [{}], expected [{}, {}] or [1, {}]", name,
                              fmt::join(image_embeds.sizes(), ", "), rows, first.size(1),
                              first.size(1)));
  };
  for (size_t i = 0; i < items.size(); ++i) check(*items[i], fmt::format("item {}", i + 1));
  check(text, "the text's item");
  return rows;
}

at::Tensor sum(const std::vector<Share>& shares) {
  at::Tensor result;
  for (const Share& share : shares) {
    const at::Tensor weighted = share.image_embeds * share.weight;
    result = result.defined() ? result + weighted : weighted;
  }
  return result;
}

/// points: [N, E], unit vectors; weights: [N], positive, of sum 1. Returns the point on the sphere
/// from which the weighted ways to all points cancel out; for two points that is slerp. Source:
/// Buss and Fillmore, Spherical Averages and Applications to Spherical Splines and Interpolation,
/// A1.
at::Tensor spherical_mean(const at::Tensor& points, const at::Tensor& weights) {
  constexpr int kMaxSteps = 100;
  constexpr double kClose = 1e-12;
  // Below this the points are opposite, and there is no unique path between them.
  constexpr double kNoDirection = 1e-9;
  const auto opposite = [] {
    return bad_mix(
        "the items point in opposite directions; spherical interpolation has no way "
        "between them");
  };
  at::Tensor mean = weights.matmul(points);
  if (mean.norm().item<double>() < kNoDirection) throw opposite();
  mean = mean / mean.norm();
  for (int step = 0; step < kMaxSteps; ++step) {
    const at::Tensor cosines = points.matmul(mean).clamp(-1.0, 1.0);
    if (cosines.min().item<double>() < kNoDirection - 1.0) throw opposite();
    const at::Tensor angles = cosines.acos();
    // angle / sin(angle), which is 1 at 0.
    const at::Tensor scale =
        at::where(angles < kClose, at::ones_like(angles), angles / angles.sin());
    const at::Tensor ways = (points - cosines.unsqueeze(1) * mean) * scale.unsqueeze(1);
    const at::Tensor way = weights.matmul(ways);
    const double length = way.norm().item<double>();
    if (length < kClose) break;
    mean = mean * std::cos(length) + way * (std::sin(length) / length);
    mean = mean / mean.norm();
  }
  return mean;
}

/// One row each: [E].
at::Tensor slerp(const std::vector<at::Tensor>& rows, const std::vector<double>& weights) {
  double total = 0.0;
  for (const double weight : weights) total += weight;
  double length = 0.0;
  std::vector<at::Tensor> directions;
  std::vector<double> shares;
  for (size_t i = 0; i < rows.size(); ++i) {
    const at::Tensor row = rows[i].to(at::kDouble);
    const double norm = row.norm().item<double>();
    length += weights[i] / total * norm;
    if (norm == 0.0) continue;  // shortens the mix, but points nowhere
    directions.push_back(row / norm);
    shares.push_back(weights[i]);
  }
  if (directions.empty()) return at::zeros_like(rows.front());
  double directed = 0.0;
  for (const double share : shares) directed += share;
  for (double& share : shares) share /= directed;
  const at::Tensor mean = spherical_mean(at::stack(directions), at::tensor(shares, at::kDouble));
  return (mean * length).to(at::kFloat);
}

at::Tensor slerp(const std::vector<Share>& shares) {
  if (shares.size() == 1) return shares.front().image_embeds;
  std::vector<at::Tensor> result;
  for (int64_t row = 0; row < shares.front().image_embeds.size(0); ++row) {
    std::vector<at::Tensor> rows;
    std::vector<double> weights;
    for (const Share& share : shares) {
      rows.push_back(share.image_embeds[row]);
      weights.push_back(share.weight);
    }
    result.push_back(slerp(rows, weights));
  }
  return at::stack(result);
}

}  // namespace

Embeds combine_embeds(Span<const Embeds* const> items, Span<const double> weights,
                      const Embeds* text, MixMethod method) {
  if (items.empty() || items.size() > limits::kMaxMixItems) {
    throw bad_mix(
        fmt::format("there are {} items, expected 1 to {}", items.size(), limits::kMaxMixItems));
  }
  if (weights.size() != items.size()) {
    throw bad_mix(fmt::format("there are {} weights for {} items", weights.size(), items.size()));
  }
  check_weights(weights, method);
  const Embeds& base = text == nullptr ? *items.front() : *text;
  const int64_t rows = check_items(items, base);

  std::vector<Share> shares;
  for (size_t i = 0; i < items.size(); ++i) {
    // Not 0 * x: an item of weight 0 has no effect, with any values.
    if (weights[i] == 0.0) continue;
    const at::Tensor& image_embeds = items[i]->at(kImageEmbeds);
    shares.push_back({image_embeds.expand({rows, image_embeds.size(1)}), weights[i]});
  }
  const at::Tensor& first = items.front()->at(kImageEmbeds);
  at::Tensor mixed;
  if (shares.empty()) {
    mixed = at::zeros({rows, first.size(1)}, first.options());
  } else {
    mixed = method == MixMethod::kSum ? sum(shares) : slerp(shares);
  }
  if (!mixed.isfinite().all().item<bool>()) {
    throw bad_mix("the weights are too large for these items: the mix is not finite");
  }

  const std::vector<int64_t> same_row(static_cast<size_t>(rows), 0);
  Embeds result = base.batch_size() == rows ? base : select_embeds(base, same_row);
  for (auto& [name, tensor] : result.tensors) {
    if (name == kImageEmbeds) tensor = mixed.contiguous();
  }
  return result;
}

}  // namespace kandinsky::pipelines
