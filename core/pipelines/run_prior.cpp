#include "pipelines/run_prior.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include "tensor/noise.h"

namespace kandinsky::pipelines {
namespace {

/// The network's rows for one picture: [uncond, prompt] with guidance, [prompt] without; then the
/// negative's own row, which needs no guidance because both of its sides are the same text.
struct Rows {
  nn::PriorTransformer::Conditioning conditioning;
  int64_t prompt_rows = 1;
};

Rows make_rows(const nn::PriorTransformer& prior, const PriorItem& item, bool guided) {
  std::vector<const PriorText*> texts;
  if (guided) texts.push_back(item.uncond);
  texts.push_back(item.prompt);
  if (item.samples_negative) texts.push_back(item.uncond);
  std::vector<at::Tensor> embeds;
  std::vector<at::Tensor> states;
  std::vector<at::Tensor> masks;
  for (const PriorText* text : texts) {
    embeds.push_back(text->text_embeds);
    states.push_back(text->text_encoder_hidden_states);
    masks.push_back(text->attention_mask);
  }
  return {prior.condition(at::cat(embeds), at::cat(states), at::cat(masks)), guided ? 2 : 1};
}

/// latents: [R, E] of one picture, R = 1 or 2. Returns the guided prediction of the same shape.
at::Tensor predict(const nn::PriorTransformer& prior, const Rows& rows, const at::Tensor& latents,
                   double timestep, double guidance_scale) {
  std::vector<at::Tensor> input(static_cast<size_t>(rows.prompt_rows), latents.slice(0, 0, 1));
  if (latents.size(0) > 1) input.push_back(latents.slice(0, 1, 2));
  const at::Tensor output =
      prior(at::cat(input), timestep, rows.conditioning).to(at::kCPU, at::kFloat);
  at::Tensor guided = output.slice(0, 0, 1);
  if (rows.prompt_rows == 2) guided = guided + guidance_scale * (output.slice(0, 1, 2) - guided);
  return latents.size(0) > 1 ? at::cat({guided, output.slice(0, rows.prompt_rows)}) : guided;
}

}  // namespace

PriorOutput run_prior(const nn::PriorTransformer& prior, const samplers::UnclipSchedule& schedule,
                      const std::vector<PriorItem>& items, const PromptRequest& request,
                      const Monitor& monitor) {
  const char* const stage = "prior";
  const bool guided = request.guidance_scale > 1.0;
  const int64_t samples = items.front().samples_negative ? 2 : 1;
  std::vector<Rows> rows;
  rows.reserve(items.size());
  for (const PriorItem& item : items) rows.push_back(make_rows(prior, item, guided));

  tensor::NoiseSource noise(request.seeds);
  const auto draw = [&] { return noise.draw_all({samples, prior.embedding_dim()}); };
  const auto predictor = [&](const at::Tensor& latents, double timestep) {
    std::vector<at::Tensor> predictions;
    for (size_t i = 0; i < rows.size(); ++i) {
      monitor.check_cancelled();
      predictions.push_back(predict(prior, rows[i], latents[static_cast<int64_t>(i)], timestep,
                                    request.guidance_scale));
    }
    return at::stack(predictions);
  };
  const auto observer = [&](int step, const at::Tensor&) {
    return monitor.report(stage, step, request.num_inference_steps);
  };

  monitor.report(stage, 0, request.num_inference_steps);
  const at::Tensor latents =
      samplers::sample_unclip(schedule, request.num_inference_steps, draw, predictor, observer);
  const at::Tensor embeds = prior.post_process_latents(latents).to(at::kCPU, at::kFloat);
  PriorOutput output{.image_embeds = embeds.select(1, 0).contiguous(), .negative_image_embeds = {}};
  if (samples == 2) output.negative_image_embeds = embeds.select(1, 1).contiguous();
  return output;
}

}  // namespace kandinsky::pipelines
