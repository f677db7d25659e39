#include "samplers/guidance.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <vector>

#include "samplers/sampler.h"

namespace kandinsky::samplers {
namespace {

/// The weighted mean. A single condition is returned unchanged, with any weight.
Prediction weighted_mean(const std::vector<ConditionPrediction>& conditions) {
  if (conditions.size() == 1) return conditions.front().prediction;
  double sum = 0.0;
  for (const ConditionPrediction& condition : conditions) sum += condition.weight;
  TORCH_INTERNAL_ASSERT(sum > 0.0);
  Prediction mean;
  const auto add = [](at::Tensor& to, const at::Tensor& part, double share) {
    if (part.defined()) to = to.defined() ? to + share * part : share * part;
  };
  for (const auto& [prediction, weight] : conditions) {
    add(mean.noise_pred, prediction.noise_pred, weight / sum);
    add(mean.predicted_variance, prediction.predicted_variance, weight / sum);
  }
  return mean;
}

/// The conditions that pull towards something; all of them where none does.
std::vector<ConditionPrediction> wanted(const std::vector<ConditionPrediction>& conditions) {
  std::vector<ConditionPrediction> result;
  for (const ConditionPrediction& condition : conditions)
    if (condition.weight > 0.0) result.push_back(condition);
  if (result.empty()) {
    result = conditions;
    for (ConditionPrediction& condition : result) condition.weight = 1.0;
  }
  return result;
}

}  // namespace

double similarity(const at::Tensor& latents, double alpha_prod, const Prediction& negative,
                  const std::vector<ConditionPrediction>& conditions) {
  // Their length does not matter.
  const auto clean = [&](const Prediction& prediction) {
    return (latents - std::sqrt(1.0 - alpha_prod) * prediction.noise_pred).flatten();
  };
  return at::cosine_similarity(clean(weighted_mean(wanted(conditions))), clean(negative), 0)
      .item<double>();
}

Prediction guide(const Prediction& negative, const std::vector<ConditionPrediction>& conditions,
                 const GuidanceOptions& options) {
  if (conditions.empty()) return negative;
  at::Tensor guided = negative.noise_pred;
  for (const auto& [prediction, weight] : conditions)
    guided = guided + weight * options.scale * (prediction.noise_pred - negative.noise_pred);

  const Prediction mean = weighted_mean(wanted(conditions));
  if (options.rescale > 0.0) {
    const at::Tensor rescaled = guided * (mean.noise_pred.std() / guided.std());
    guided = options.rescale * rescaled + (1.0 - options.rescale) * guided;
  }
  return {.noise_pred = guided, .predicted_variance = mean.predicted_variance};
}

Prediction without_guidance(const std::vector<ConditionPrediction>& conditions) {
  return weighted_mean(conditions);
}

}  // namespace kandinsky::samplers
