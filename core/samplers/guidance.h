/// Classifier-free guidance: one prediction from the conditional ones and the unconditional one.
#pragma once

#include <vector>

#include "samplers/sampler.h"

namespace kandinsky::samplers {

struct GuidanceOptions {
  double scale = 1.0;    ///< 1: the conditional prediction; more: extrapolated from the negative
  double rescale = 0.0;  ///< 0 to 1; 0: off
};

/// The network's prediction for one condition.
struct ConditionPrediction {
  Prediction prediction;
  double weight = 1.0;  ///< not 0
};

/// Combines the predictions for one image, [1, C, h, w] each:
///   negative + sum of weight * scale * (condition - negative)
/// With rescale, the result is scaled towards the standard deviation of the conditions.
/// The learned variance is the conditions', since the reference takes it from the prompt's
/// half. Without conditions the result is `negative`.
/// Source: diffusers, KandinskyPipeline.__call__ and rescale_noise_cfg; for several conditions
/// Liu et al. 2022, "Compositional Visual Generation with Composable Diffusion Models", (11).
Prediction guide(const Prediction& negative, const std::vector<ConditionPrediction>& conditions,
                 const GuidanceOptions& options);

/// Cosine of the angle between the clean latents of the negative prediction and of the mean of the
/// conditions. latents: the network's input, of that alpha_prod. Unlike "Adaptive guidance"
/// (arXiv:2312.12487) it does not compare the predicted noise, which at high noise levels is nearly
/// equal in both predictions.
double similarity(const at::Tensor& latents, double alpha_prod, const Prediction& negative,
                  const std::vector<ConditionPrediction>& conditions);

/// The same without guidance: the weighted mean; the weights must sum to more than 0.
Prediction without_guidance(const std::vector<ConditionPrediction>& conditions);

}  // namespace kandinsky::samplers
