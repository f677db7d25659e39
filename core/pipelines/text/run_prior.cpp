#include "pipelines/text/run_prior.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "nn/prior/prior_transformer.h"
#include "options/requests.h"
#include "pipelines/monitor.h"
#include "samplers/unclip.h"
#include "tensor/noise.h"

namespace kandinsky::pipelines {
namespace {

/// The network's rows for one item, in this order: uncond, prompt, negative.
struct Rows {
  nn::PriorTransformer::Conditioning conditioning{};
  std::vector<int64_t> uncond_tokens{};  ///< empty without guidance
  bool has_prompt = false;
  bool has_negative = false;

  int64_t num_uncond() const { return static_cast<int64_t>(uncond_tokens.size()); }
};

Rows make_rows(const nn::PriorTransformer& prior, const PriorItem& item, bool guided) {
  Rows rows{.has_prompt = item.prompt != nullptr, .has_negative = item.negative != nullptr};
  std::vector<at::Tensor> embeds;
  std::vector<at::Tensor> states;
  std::vector<at::Tensor> masks;
  const auto add = [&](const PriorText& text) {
    embeds.push_back(text.text_embeds);
    states.push_back(text.text_encoder_hidden_states);
    masks.push_back(text.attention_mask);
  };
  if (guided && rows.has_prompt) {
    for (const PriorText* uncond : item.uncond) {
      add(*uncond);
      rows.uncond_tokens.push_back(uncond->num_tokens);
    }
  }
  if (rows.has_prompt) add(*item.prompt);
  if (rows.has_negative) add(*item.negative);
  rows.conditioning = prior.condition(at::cat(embeds), at::cat(states), at::cat(masks));
  return rows;
}

/// latents: [R, E] of one item. Returns the guided prediction of the same shape; rows that are not
/// requested are returned unchanged.
at::Tensor predict(const nn::PriorTransformer& prior, const Rows& rows, const at::Tensor& latents,
                   double timestep, double guidance_scale) {
  const int64_t prompt_rows = rows.has_prompt ? rows.num_uncond() + 1 : 0;
  std::vector<at::Tensor> input(static_cast<size_t>(prompt_rows), latents.slice(0, 0, 1));
  if (rows.has_negative) input.push_back(latents.slice(0, 1, 2));
  const at::Tensor output =
      prior(at::cat(input), timestep, rows.conditioning).to(at::kCPU, at::kFloat);
  std::vector<at::Tensor> result;
  if (rows.has_prompt) {
    at::Tensor guided = output.slice(0, prompt_rows - 1, prompt_rows);
    if (rows.num_uncond() > 0) {
      const at::Tensor uncond =
          mean_by_tokens(output.slice(0, 0, rows.num_uncond()).split(1), rows.uncond_tokens);
      guided = uncond + guidance_scale * (guided - uncond);
    }
    result.push_back(guided);
  } else {
    result.push_back(latents.slice(0, 0, 1));
  }
  if (rows.has_negative) {
    result.push_back(output.slice(0, prompt_rows));
  } else if (latents.size(0) > 1) {
    result.push_back(latents.slice(0, 1));
  }
  return at::cat(result);
}

}  // namespace

PriorOutput run_prior(const nn::PriorTransformer& prior, const samplers::UnclipSchedule& schedule,
                      const std::vector<PriorItem>& items, PriorNoise noise,
                      const PromptRequest& request, const Monitor& monitor) {
  const char* const stage = "prior";
  const int running_steps = request.num_running_prior_steps();
  const auto steps = static_cast<int>(items.size()) * running_steps;
  PriorOutput output;
  monitor.report(stage, 0, steps);
  // One after the other: the KV caches of all texts would need too much memory.
  int begun = 0;
  for (const PriorItem& item : items) {
    TORCH_INTERNAL_ASSERT(noise == PriorNoise::kPromptAndNegative || item.negative == nullptr);
    const Rows rows = make_rows(prior, item, request.prior_guidance_scale > 1.0);
    tensor::NoiseSource source({item.seed});
    const auto draw = [&] {
      return source.draw_all({static_cast<int64_t>(noise), prior.embedding_dim()});
    };
    const auto predictor = [&](const at::Tensor& latents, double timestep) {
      monitor.check_cancelled();
      return predict(prior, rows, latents[0], timestep, request.prior_guidance_scale).unsqueeze(0);
    };
    const auto observer = [&](int step, const at::Tensor&) {
      // When stopping, the others end at their first step.
      if (output.is_whole && !monitor.report(stage, begun + step, steps))
        output.is_whole = begun + step == steps;
      return output.is_whole;
    };
    const samplers::UnclipStart start{
        .num_inference_steps = request.prior_num_inference_steps,
        .skipped_steps = request.prior_num_inference_steps - running_steps,
        .init_latents = item.init_image_embeds};
    const at::Tensor latents = samplers::sample_unclip(schedule, start, draw, predictor, observer);
    const at::Tensor embeds = prior.post_process_latents(latents).to(at::kCPU, at::kFloat)[0];
    output.image_embeds.push_back(rows.has_prompt ? embeds.slice(0, 0, 1) : at::Tensor());
    output.negative_image_embeds.push_back(rows.has_negative ? embeds.slice(0, 1, 2)
                                                             : at::Tensor());
    begun += running_steps;
  }
  return output;
}

at::Tensor mean_by_tokens(const std::vector<at::Tensor>& rows,
                          const std::vector<int64_t>& num_tokens) {
  if (rows.size() == 1) return rows.front();
  const int64_t total = std::accumulate(num_tokens.begin(), num_tokens.end(), int64_t{0});
  TORCH_INTERNAL_ASSERT(rows.size() == num_tokens.size() && total > 0);
  at::Tensor mean;
  for (size_t i = 0; i < rows.size(); ++i) {
    const at::Tensor share =
        rows[i] * (static_cast<double>(num_tokens[i]) / static_cast<double>(total));
    mean = mean.defined() ? mean + share : share;
  }
  return mean;
}

}  // namespace kandinsky::pipelines
