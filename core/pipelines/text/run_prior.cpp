#include "pipelines/text/run_prior.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "nn/prior/prior_transformer.h"
#include "options/requests.h"
#include "pipelines/monitor.h"
#include "samplers/unclip.h"
#include "tensor/device.h"
#include "tensor/noise.h"
#include "tensor/run_context.h"

namespace kandinsky::pipelines {
namespace {

/// The network's rows for one item, in this order: uncond, prompt, negative.
struct Rows {
  nn::PriorTransformer::Texts texts{};
  std::vector<int64_t> uncond_tokens{};  ///< empty without guidance
  bool has_prompt = false;
  bool has_negative = false;

  int64_t num_uncond() const { return static_cast<int64_t>(uncond_tokens.size()); }
  int64_t num_prompt_rows() const { return has_prompt ? num_uncond() + 1 : 0; }
};

Rows make_rows(const PriorItem& item, bool guided) {
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
  rows.texts = {at::cat(embeds), at::cat(states), at::cat(masks)};
  return rows;
}

/// latents: [R, E] of one item. Returns the network's input.
at::Tensor input_of(const Rows& rows, const at::Tensor& latents) {
  std::vector<at::Tensor> input(static_cast<size_t>(rows.num_prompt_rows()),
                                latents.slice(0, 0, 1));
  if (rows.has_negative) input.push_back(latents.slice(0, 1, 2));
  return at::cat(input);
}

/// output: the network's, for this input. Returns the guided prediction [R, E]; rows that are not
/// requested are the latents, unchanged.
at::Tensor guide(const Rows& rows, const at::Tensor& latents, const at::Tensor& output,
                 double guidance_scale) {
  const int64_t prompt_rows = rows.num_prompt_rows();
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

/// How many items run at once: their KV caches need memory.
size_t items_at_once(const nn::PriorTransformer& prior) {
  const tensor::Placement& placement = prior.placement();
  if (!placement.speedups.prior_batches) return 1;
  if (!placement.device.is_cpu()) return kMostPriorItems;
  return std::min<size_t>(kMostPriorItems,
                          static_cast<size_t>(tensor::run_context().images_at_once));
}

}  // namespace

PriorOutput run_prior(const nn::PriorTransformer& prior, const samplers::UnclipSchedule& schedule,
                      const std::vector<PriorItem>& items, PriorNoise noise,
                      const PromptRequest& request, const Monitor& monitor) {
  const char* const stage = "prior";
  const int running_steps = request.num_running_prior_steps();
  const auto steps = static_cast<int>(items.size()) * running_steps;
  const size_t most = items_at_once(prior);
  PriorOutput output;
  monitor.report(stage, 0, steps);
  int begun = 0;
  for (size_t first = 0; first < items.size(); first += most) {
    const size_t count = std::min(most, items.size() - first);
    std::vector<Rows> rows;
    std::vector<nn::PriorTransformer::Texts> texts;
    std::vector<uint64_t> seeds;
    std::vector<at::Tensor> init_image_embeds;
    for (size_t i = first; i < first + count; ++i) {
      TORCH_INTERNAL_ASSERT(noise == PriorNoise::kPromptAndNegative ||
                            items[i].negative == nullptr);
      rows.push_back(make_rows(items[i], request.prior_guidance_scale > 1.0));
      texts.push_back(rows.back().texts);
      seeds.push_back(items[i].seed);
      if (items[i].init_image_embeds.defined())
        init_image_embeds.push_back(items[i].init_image_embeds.unsqueeze(0));
    }
    nn::PriorTransformer::Batch batch = prior.condition(texts);
    tensor::NoiseSource source(seeds);
    const auto draw = [&] {
      return source.draw_all({static_cast<int64_t>(noise), prior.embedding_dim()});
    };
    const auto predictor = [&](const at::Tensor& latents, double timestep) {
      monitor.check_cancelled();
      std::vector<at::Tensor> inputs;
      inputs.reserve(count);
      for (size_t i = 0; i < count; ++i)
        inputs.push_back(input_of(rows[i], latents[static_cast<int64_t>(i)]));
      const std::vector<at::Tensor> outputs = prior(inputs, timestep, batch);
      std::vector<at::Tensor> guided;
      guided.reserve(count);
      for (size_t i = 0; i < count; ++i)
        guided.push_back(guide(rows[i], latents[static_cast<int64_t>(i)],
                               outputs[i].to(at::kCPU, at::kFloat), request.prior_guidance_scale));
      return at::stack(guided);
    };
    const auto observer = [&](int step, const at::Tensor&) {
      // When stopping, the others end at their first step.
      const int done = begun + step * static_cast<int>(count);
      if (output.is_whole && !monitor.report(stage, done, steps)) output.is_whole = done == steps;
      return output.is_whole;
    };
    const samplers::UnclipStart start{
        .num_inference_steps = request.prior_num_inference_steps,
        .skipped_steps = request.prior_num_inference_steps - running_steps,
        .init_latents = init_image_embeds.empty() ? at::Tensor() : at::cat(init_image_embeds)};
    const at::Tensor latents = samplers::sample_unclip(schedule, start, draw, predictor, observer);
    const at::Tensor embeds = prior.post_process_latents(latents).to(at::kCPU, at::kFloat);
    for (size_t i = 0; i < count; ++i) {
      const at::Tensor own = embeds[static_cast<int64_t>(i)];
      output.image_embeds.push_back(rows[i].has_prompt ? own.slice(0, 0, 1) : at::Tensor());
      output.negative_image_embeds.push_back(rows[i].has_negative ? own.slice(0, 1, 2)
                                                                  : at::Tensor());
    }
    begun += static_cast<int>(count) * running_steps;
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
