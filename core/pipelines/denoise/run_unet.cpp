#include "pipelines/denoise/run_unet.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "io/images/image.h"
#include "nn/unet/unet.h"
#include "options/requests.h"
#include "pipelines/check_finite.h"
#include "pipelines/denoise/conditioning_rows.h"
#include "pipelines/denoise/conditions.h"
#include "pipelines/denoise/feature_cache.h"
#include "pipelines/denoise/forecast.h"
#include "pipelines/denoise/prepare_latents.h"
#include "pipelines/denoise/prepare_noise.h"
#include "pipelines/denoise/unet_rules.h"
#include "pipelines/embeds.h"
#include "pipelines/geometry.h"
#include "pipelines/images/hint.h"
#include "pipelines/images/mask_blend.h"
#include "pipelines/monitor.h"
#include "samplers/guidance.h"
#include "samplers/noise_schedule.h"
#include "samplers/sampler.h"
#include "tensor/at_once.h"
#include "tensor/noise.h"

namespace kandinsky::pipelines {
namespace {

bool shows_mask(const nn::UNet& unet, const Geometry& geometry, const DenoiseRequest& request) {
  return shows_mask(request.mask.defined(), request.mask_method,
                    is_inpainting_unet(unet.config(), geometry.latent_channels));
}

/// Runs the UNet for each image separately: rows of a larger batch would be rounded differently,
/// and a seed must give the same image in any batch.
class ImageDenoiser {
 public:
  ImageDenoiser(const nn::UNet& unet, const UNetRules& rules,
                const samplers::NoiseSchedule& schedule, const Geometry& geometry,
                const Embeds& embeds, const Embeds* negative_embeds, const DenoiseRequest& request,
                const Monitor& monitor)
      : unet_(unet),
        schedule_(schedule),
        latent_channels_(geometry.latent_channels),
        request_(request),
        monitor_(monitor),
        plan_(request.conditions, num_images(), request.num_inference_steps),
        negative_plan_(request.negative_conditions, num_images(), request.num_inference_steps),
        rows_(unet, rules, embeds, plan_),
        features_(request.cache_interval, num_images()),
        forecast_(request),
        variances_(request.seeds.size()),
        last_guided_steps_(request.seeds.size(), request.num_inference_steps) {
    if (negative_embeds != nullptr)
      negative_rows_.emplace(unet, rules, *negative_embeds, negative_plan_);
    const auto [height, width] = geometry.latent_size(request.width, request.height);
    if (is_inpainting_unet(unet.config(), latent_channels_)) {
      // Without a mask, the whole image is masked.
      more_channels_ =
          shows_mask(unet, geometry, request)
              ? inpaint_channels(request.init_latents, hard_mask(request.mask))
              : at::zeros({num_images(), latent_channels_ + 1, height, width}, at::kFloat);
    } else if (unet.config().inputs == nn::UNetInputs::kImageHint) {
      std::vector<at::Tensor> channels;
      for (const io::Image& hint : request.hints) {
        monitor.check_cancelled();
        const at::Tensor pixels =
            hint_pixels(hint, request.width, request.height, width * geometry.latent_factor,
                        height * geometry.latent_factor);
        channels.push_back(unet.hint_channels(pixels, padding_mode()));
      }
      more_channels_ = at::cat(channels).expand({num_images(), -1, -1, -1});
    }
  }

  /// step: counted from 1 over the whole schedule. latents: [B, C, h, w].
  samplers::Prediction operator()(const at::Tensor& latents, double timestep, int step) {
    if (step != step_) forget_after(step - 1);
    step_ = step;
    std::vector<samplers::Prediction> predictions(request_.seeds.size());
    tensor::each_at_once(num_images(), [&](int64_t image) {
      predictions[static_cast<size_t>(image)] = predict(latents, timestep, image);
    });
    std::vector<at::Tensor> noise_preds;
    std::vector<at::Tensor> variances;
    for (samplers::Prediction& prediction : predictions) {
      noise_preds.push_back(std::move(prediction.noise_pred));
      if (prediction.predicted_variance.defined())
        variances.push_back(std::move(prediction.predicted_variance));
    }
    return {.noise_pred = at::cat(noise_preds),
            .predicted_variance = variances.empty() ? at::Tensor() : at::cat(variances)};
  }

 private:
  struct RowOf {
    ConditioningRows* rows;
    int64_t row;

    nn::UNet::Conditioning get() const { return rows->at(row); }
    int64_t num_tokens() const { return rows->num_tokens(row); }
  };

  int64_t num_images() const { return static_cast<int64_t>(request_.seeds.size()); }

  void forget_after(int step) {
    rows_.forget_after(step);
    if (negative_rows_) negative_rows_->forget_after(step);
  }

  samplers::Prediction predict(const at::Tensor& latents, double timestep, int64_t image) {
    const bool guided =
        is_guided(request_, step_) && step_ <= last_guided_steps_[static_cast<size_t>(image)];
    std::vector<RowOf> conditionings;
    // The guidance of this evaluation: whether there is a negative row and a hint, then the rows.
    std::vector<int64_t> rows{guided ? 1 : 0, is_hinted(request_, step_) ? 1 : 0};
    if (guided) {
      const WeightedRow negative = negative_plan_.rows(image, step_).front();
      conditionings.push_back({&*negative_rows_, negative.row});
      rows.push_back(negative.row);
    }
    std::vector<double> weights;
    for (const auto& [row, weight] : plan_.rows(image, step_)) {
      if (weight == 0.0) continue;
      weights.push_back(weight);
      conditionings.push_back({&rows_, row});
      rows.push_back(row);
    }
    features_.begin(image, rows);
    const int index = step_ - 1 - (request_.num_inference_steps - request_.num_running_steps());
    const at::Tensor own = latents.slice(0, image, image + 1);
    const double alpha = schedule_.alpha_cumprod_at(timestep);
    at::Tensor& variance = variances_[static_cast<size_t>(image)];
    const at::Tensor forecast = forecast_.begin(image, index, std::move(rows));
    if (forecast.defined()) {
      return {.noise_pred = (own - std::sqrt(alpha) * forecast) / std::sqrt(1.0 - alpha),
              .predicted_variance = variance};
    }
    samplers::Prediction prediction = compute(own, timestep, image, conditionings, weights);
    if (forecast_.is_on()) {
      variance = prediction.predicted_variance;
      forecast_.keep(image, index,
                     (own - std::sqrt(1.0 - alpha) * prediction.noise_pred) / std::sqrt(alpha));
    }
    return prediction;
  }

  /// conditionings: the negative one first if there is one more than weights.
  samplers::Prediction compute(const at::Tensor& latents, double timestep, int64_t image,
                               const std::vector<RowOf>& conditionings,
                               const std::vector<double>& weights) {
    const bool guided = conditionings.size() > weights.size();
    at::Tensor sample = latents;
    if (more_channels_.defined()) {
      at::Tensor more = more_channels_.slice(0, image, image + 1);
      if (!request_.hints.empty() && !is_hinted(request_, step_)) more = at::zeros_like(more);
      sample = at::cat({sample, more}, 1);
    }
    const std::vector<samplers::Prediction> answers = ask(sample, timestep, image, conditionings);

    std::vector<samplers::ConditionPrediction> conditions;
    for (size_t i = 0; i < weights.size(); ++i)
      conditions.push_back({.prediction = answers[i + (guided ? 1 : 0)], .weight = weights[i]});
    if (!guided) return samplers::without_guidance(conditions);
    if (request_.guidance_threshold < 1.0 &&
        samplers::similarity(latents, schedule_.alpha_cumprod_at(timestep), answers.front(),
                             conditions) >= request_.guidance_threshold)
      last_guided_steps_[static_cast<size_t>(image)] = step_;
    return samplers::guide(
        answers.front(), conditions,
        {.scale = request_.guidance_scale, .rescale = request_.guidance_rescale});
  }

  /// The UNet's outputs for one sample under several conditionings, in pairs if all come in
  /// such: more at a time would need memory that plain guidance does not.
  std::vector<samplers::Prediction> ask(const at::Tensor& sample, double timestep, int64_t image,
                                        const std::vector<RowOf>& conditionings) {
    std::vector<int64_t> num_tokens;
    for (const RowOf& conditioning : conditionings) num_tokens.push_back(conditioning.num_tokens());
    const bool in_pairs = are_pairs(num_tokens);
    std::vector<samplers::Prediction> answers;
    for (size_t i = 0; i < conditionings.size(); i += in_pairs ? 2 : 1) {
      monitor_.check_cancelled();
      const nn::UNet::Conditioning first = conditionings[i].get();
      std::optional<nn::UNet::Conditioning> second;
      if (in_pairs) second = conditionings[i + 1].get();
      at::Tensor* const features = features_.at(image, i);
      at::Tensor output = second ? unet_(sample, timestep, nn::UNet::join({&first, &*second}),
                                         padding_mode(), features)
                                 : unet_(sample, timestep, first, padding_mode(), features);
      output = output.to(at::kCPU, at::kFloat);
      check_finite(output, "denoise", unet_.placement().dtype);
      for (int64_t row = 0; row < output.size(0); ++row)
        answers.push_back(split(output.slice(0, row, row + 1)));
    }
    return answers;
  }

  samplers::Prediction split(const at::Tensor& output) const {
    samplers::Prediction prediction{.noise_pred = output.slice(1, 0, latent_channels_),
                                    .predicted_variance = {}};
    if (output.size(1) == 2 * latent_channels_)
      prediction.predicted_variance = output.slice(1, latent_channels_);
    return prediction;
  }

  nn::PaddingMode padding_mode() const {
    return request_.tiling ? nn::PaddingMode::kCircular : nn::PaddingMode::kZeros;
  }

  const nn::UNet& unet_;
  const samplers::NoiseSchedule& schedule_;
  int64_t latent_channels_;
  const DenoiseRequest& request_;
  const Monitor& monitor_;
  ConditionPlan plan_;
  ConditionPlan negative_plan_;
  ConditioningRows rows_;
  std::optional<ConditioningRows> negative_rows_;
  FeatureCache features_;
  Forecast forecast_;
  std::vector<at::Tensor> variances_;   ///< of each image, from the last evaluation
  at::Tensor more_channels_;            ///< extra input channels of the UNet, [B, C, h, w]
  std::vector<int> last_guided_steps_;  ///< of each image, from guidance_threshold
  int step_ = 0;
};

}  // namespace

bool is_inpainting_unet(const nn::UNetConfig& config, int64_t latent_channels) {
  return config.in_channels == 2 * latent_channels + 1;
}

at::Tensor run_unet(const nn::UNet& unet, const UNetRules& rules,
                    const samplers::NoiseSchedule& schedule, const Geometry& geometry,
                    const Embeds& embeds, const Embeds* negative_embeds,
                    const DenoiseRequest& request, const Monitor& monitor) {
  const char* const stage = "denoise";
  const samplers::Sampler& sampler = samplers::find_sampler(request.sampler);
  const int running_steps = request.num_running_steps();
  const int skipped_steps = request.num_inference_steps - running_steps;
  const bool is_shown = shows_mask(unet, geometry, request);
  const bool is_noised = is_shown && rules.keeps_unmasked_noised;
  const bool is_blended = request.mask.defined() && (!is_shown || is_noised);
  const at::Tensor mask = is_shown ? hard_mask(request.mask) : request.mask;

  tensor::NoiseSource generator(request.seeds);
  const at::Tensor noise = prepare_noise(request, geometry, generator);
  ImageDenoiser image_denoiser(unet, rules, schedule, geometry, embeds, negative_embeds, request,
                               monitor);
  // Some samplers evaluate several times in a step, so the observer counts steps.
  int step = skipped_steps + 1;
  bool is_first = true;
  const samplers::Denoiser denoiser = [&](const at::Tensor& latents, double timestep) {
    const double alpha = schedule.alpha_cumprod_at(timestep);
    at::Tensor input = latents;
    // At first everything is noise, as in the reference.
    if (is_noised && !is_first) {
      const at::Tensor kept =
          std::sqrt(alpha) * request.init_latents + std::sqrt(1.0 - alpha) * noise;
      input = blend_latents(latents, kept, mask);
    }
    is_first = false;
    samplers::Prediction prediction = image_denoiser(input, timestep, step);
    if (is_blended) {
      prediction.noise_pred =
          blend_noise_pred(prediction.noise_pred, latents, request.init_latents, mask, alpha);
    }
    return prediction;
  };
  const samplers::StepObserver observer = [&](int done, const at::Tensor& pred_original_sample) {
    step = std::min(skipped_steps + done + 1, request.num_inference_steps);
    return monitor.report(stage, done, running_steps, pred_original_sample);
  };

  monitor.report(stage, 0, running_steps);
  const at::Tensor latents =
      sampler.sample({.schedule = schedule,
                      .scheduler = request.scheduler,
                      .sigmas = request.sigmas,
                      .num_inference_steps = request.num_inference_steps,
                      .start = prepare_latents(request, noise, rules.has_own_init_noise),
                      .noise = noise,
                      .generator = generator,
                      .denoiser = denoiser,
                      .observer = observer});
  if (is_blended) return blend_latents(latents, request.init_latents, mask);
  if (!request.mask.defined()) return latents;
  return keep_unmasked_images(latents, request.init_latents, mask);
}

}  // namespace kandinsky::pipelines
