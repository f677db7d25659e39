#include "pipelines/run_unet.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include <vector>

#include "samplers/sampler.h"
#include "tensor/noise.h"

namespace kandinsky::pipelines {
namespace {

/// Row `index` of both sides, the negative first.
at::Tensor guided_rows(const Embeds& embeds, const Embeds* negative_embeds, const char* name,
                       int64_t index) {
  const at::Tensor row = embeds.at(name).slice(0, index, index + 1);
  return negative_embeds == nullptr
             ? row
             : at::cat({negative_embeds->at(name).slice(0, index, index + 1), row});
}

/// output: [2, 2C, h, w], negative first, or [1, 2C, h, w].
samplers::Prediction guide(const at::Tensor& output, int64_t latent_channels,
                           double guidance_scale) {
  const at::Tensor noise_pred = output.slice(1, 0, latent_channels);
  const int64_t last = output.size(0) - 1;
  at::Tensor guided = noise_pred.slice(0, 0, 1);
  if (last == 1) guided = guided + guidance_scale * (noise_pred.slice(0, 1, 2) - guided);
  samplers::Prediction prediction{.noise_pred = guided, .predicted_variance = {}};
  // The learned variance is taken from the prompt's half.
  if (output.size(1) == 2 * latent_channels)
    prediction.predicted_variance = output.slice(0, last).slice(1, latent_channels);
  return prediction;
}

}  // namespace

at::Tensor run_unet(const nn::UNet& unet, const samplers::NoiseSchedule& schedule,
                    int64_t latent_channels, int64_t latent_height, int64_t latent_width,
                    const Embeds& embeds, const Embeds* negative_embeds,
                    const DenoiseRequest& request, const Monitor& monitor) {
  const char* const stage = "denoise";
  const samplers::Sampler& sampler = samplers::find_sampler(request.sampler);
  const Embeds* negative = request.guidance_scale > 1.0 ? negative_embeds : nullptr;
  const auto batch_size = static_cast<int64_t>(request.seeds.size());

  std::vector<nn::UNet::Conditioning> conditionings;
  for (int64_t i = 0; i < batch_size; ++i) {
    conditionings.push_back(
        unet.condition(guided_rows(embeds, negative, "image_embeds", i),
                       guided_rows(embeds, negative, "prompt_embeds", i),
                       guided_rows(embeds, negative, "text_encoder_hidden_states", i)));
  }
  // One picture at a time: rows of a larger batch would be rounded differently, and a seed must
  // mean the same picture in any batch.
  const samplers::Denoiser denoiser = [&](const at::Tensor& latents, double timestep) {
    std::vector<at::Tensor> noise_preds;
    std::vector<at::Tensor> variances;
    for (int64_t i = 0; i < batch_size; ++i) {
      monitor.check_cancelled();
      const at::Tensor row = latents.slice(0, i, i + 1);
      const at::Tensor sample = negative == nullptr ? row : at::cat({row, row});
      const at::Tensor output =
          unet(sample, timestep, conditionings[static_cast<size_t>(i)]).to(at::kCPU, at::kFloat);
      samplers::Prediction prediction = guide(output, latent_channels, request.guidance_scale);
      noise_preds.push_back(std::move(prediction.noise_pred));
      if (prediction.predicted_variance.defined())
        variances.push_back(std::move(prediction.predicted_variance));
    }
    return samplers::Prediction{at::cat(noise_preds),
                                variances.empty() ? at::Tensor() : at::cat(variances)};
  };
  const samplers::StepObserver observer = [&](int step, const at::Tensor& pred_original_sample) {
    return monitor.report(stage, step, request.num_inference_steps, pred_original_sample);
  };

  tensor::NoiseSource generator(request.seeds);
  at::Tensor noise = generator.draw_all({latent_channels, latent_height, latent_width});
  if (request.noise.defined()) noise = request.noise;
  monitor.report(stage, 0, request.num_inference_steps);
  return sampler.sample({.schedule = schedule,
                         .num_inference_steps = request.num_inference_steps,
                         .noise = noise,
                         .generator = generator,
                         .denoiser = denoiser,
                         .observer = observer});
}

}  // namespace kandinsky::pipelines
