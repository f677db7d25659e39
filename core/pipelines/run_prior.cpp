#include "pipelines/run_prior.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <numeric>

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
/// wanted come back as they are.
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
  std::vector<Rows> rows;
  std::vector<uint64_t> seeds;
  for (const PriorItem& item : items) {
    TORCH_INTERNAL_ASSERT(noise == PriorNoise::kPromptAndNegative || item.negative == nullptr);
    rows.push_back(make_rows(prior, item, request.guidance_scale > 1.0));
    seeds.push_back(item.seed);
  }

  tensor::NoiseSource source(seeds);
  const auto draw = [&] {
    return source.draw_all({static_cast<int64_t>(noise), prior.embedding_dim()});
  };
  const auto predictor = [&](const at::Tensor& latents, double timestep) {
    std::vector<at::Tensor> predictions;
    for (size_t i = 0; i < rows.size(); ++i) {
      monitor.check_cancelled();
      predictions.push_back(predict(prior, rows[i], latents[static_cast<int64_t>(i)], timestep,
                                    request.guidance_scale));
    }
    return at::stack(predictions);
  };
  PriorOutput output;
  const auto observer = [&](int step, const at::Tensor&) {
    const bool goes_on = monitor.report(stage, step, request.num_inference_steps);
    if (!goes_on && step < request.num_inference_steps) output.is_whole = false;
    return goes_on;
  };

  monitor.report(stage, 0, request.num_inference_steps);
  const at::Tensor latents =
      samplers::sample_unclip(schedule, request.num_inference_steps, draw, predictor, observer);
  const at::Tensor embeds = prior.post_process_latents(latents).to(at::kCPU, at::kFloat);
  for (size_t i = 0; i < items.size(); ++i) {
    const at::Tensor item = embeds[static_cast<int64_t>(i)];
    output.image_embeds.push_back(rows[i].has_prompt ? item.slice(0, 0, 1) : at::Tensor());
    output.negative_image_embeds.push_back(rows[i].has_negative ? item.slice(0, 1, 2)
                                                                : at::Tensor());
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
