#include "pipelines/families/kandinsky_2/pipeline.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/images/image.h"
#include "io/model_dir.h"
#include "nn/encoders/clip_vision.h"
#include "nn/movq/movq.h"
#include "nn/unet/unet.h"
#include "options/requests.h"
#include "options/types.h"
#include "pipelines/check_finite.h"
#include "pipelines/denoise/check_request.h"
#include "pipelines/denoise/conditioning_rows.h"
#include "pipelines/denoise/conditions.h"
#include "pipelines/denoise/run_unet.h"
#include "pipelines/embeds.h"
#include "pipelines/families/kandinsky_2/folders.h"
#include "pipelines/families/kandinsky_2/image_embeds.h"
#include "pipelines/families/kandinsky_2/kind.h"
#include "pipelines/families/kandinsky_2/memory.h"
#include "pipelines/families/kandinsky_2/models.h"
#include "pipelines/families/kandinsky_2/zero_image_file.h"
#include "pipelines/family.h"
#include "pipelines/geometry.h"
#include "pipelines/images/mask_blend.h"
#include "pipelines/job.h"
#include "pipelines/memory/component.h"
#include "pipelines/memory/memory_plan.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"
#include "pipelines/text/encode_prompts.h"
#include "pipelines/text/prompt_cache.h"
#include "samplers/noise_schedule.h"
#include "samplers/unclip.h"
#include "tensor/arena.h"
#include "tensor/at_once.h"
#include "tensor/device.h"

namespace kandinsky::pipelines {
namespace {

nn::PaddingMode padding_mode_of(bool tiling) {
  return tiling ? nn::PaddingMode::kCircular : nn::PaddingMode::kZeros;
}

class Kandinsky2 : public Pipeline {
 public:
  Kandinsky2(const Kandinsky2Kind& kind, const io::ModelDir& model, const io::ModelDir& prior,
             const std::optional<io::ModelDir>& inpaint, const Placements& placements)
      : models_(kind, model, prior, inpaint, placements) {
    zero_image_embeds_ = load_zero_image(zero_image_source());
  }

  const Geometry& geometry() const override { return models_.geometry; }
  std::string_view prior_path() const override { return models_.prior_dir.path(); }
  std::string_view inpaint_path() const override {
    return models_.inpaint_dir ? models_.inpaint_dir->path() : std::string_view();
  }

  const char* own_sampler() const override { return models_.schedule.own_sampler; }

  bool takes_hints() const override { return models_.limits().takes_hints; }

  void check(const Job& job) const override {
    check_job(job, geometry());
    if (job.prompts != nullptr) {
      samplers::unclip_timesteps(models_.prior_schedule, job.prompts->prior_num_inference_steps);
      if (!job.prompts->prior_images.empty()) check_image_encoder("prior_images need it");
      if (needs_zero_image(*job.prompts) && !zero_image_embeds_.defined())
        check_image_encoder(fmt::format(
            "prompts need it once, to make {}; or copy that file from a prior folder that has it",
            kZeroImageFile));
    }
    if (job.images != nullptr) check_image_encoder("images to mix need it");
    if (job.denoise != nullptr) check_request(with_sampler(*job.denoise), models_.limits());
    if (job.denoise != nullptr && job.prompts != nullptr) {
      const auto rows = static_cast<int64_t>(job.prompts->prompts.size());
      check_rows("embeds", rows, job.denoise->conditions);
      check_rows("negative embeds", rows, job.denoise->negative_conditions);
    }
    if (job.embeds != nullptr) check_guides(job);
  }

  EncodedPrompts encode_prompts(const PromptRequest& request, const Monitor& monitor) override {
    const at::Tensor init_image_embeds =
        request.prior_images.empty() ? at::Tensor() : image_embeds(request.prior_images, monitor);
    return pipelines::encode_prompts(
        prompt_models(), request, init_image_embeds, [&] { return zero_image_embeds(monitor); },
        monitor);
  }

  Embeds encode_images(const std::vector<io::Image>& images, const Monitor& monitor) override {
    return embeds_without_text(prompt_models(), image_embeds(images, monitor), monitor);
  }

  at::Tensor denoise(const Embeds& embeds, const Embeds* negative_embeds,
                     const DenoiseRequest& asked, const Monitor& monitor) override {
    const DenoiseRequest request = with_sampler(asked);
    if (!is_guided(request)) negative_embeds = nullptr;
    if (request.num_running_steps() == 0) return request.init_latents;
    const bool is_shown = shows_mask(request.mask.defined(), request.mask_method,
                                     models_.has_inpainting_unet(request));
    if (request.mask.defined()) {
      const at::Tensor mask = is_shown ? hard_mask(request.mask) : request.mask;
      if (!mask.any().item<bool>()) return request.init_latents;
      if (request.mask_method == MaskMethod::kAuto && !is_shown && request.hints.empty())
        monitor.say("There is no inpainting model: the model itself generates inside the mask.");
    }
    const bool takes_other = models_.takes_inpaint_unet(is_shown);
    Component<nn::UNet>& unet = takes_other ? *models_.inpaint_unet : models_.unet;
    const samplers::NoiseSchedule& schedule =
        takes_other ? models_.inpaint_schedule : models_.schedule;
    return unet.run_finite(monitor, [&](const nn::UNet& network) {
      at::Tensor latents = run_unet(network, models_.kind.rules, schedule, geometry(), embeds,
                                    negative_embeds, request, monitor);
      check_finite(latents, "denoise", unet.placement().dtype);
      return latents;
    });
  }

  at::Tensor decode(const at::Tensor& latents, bool tiling, const Monitor& monitor) override {
    const int64_t factor = geometry().latent_factor;
    const std::array shape{latents.size(0), int64_t{3}, factor * latents.size(2),
                           factor * latents.size(3)};
    return by_row("decode", latents, shape, monitor,
                  [&](const nn::Movq& movq, const at::Tensor& row) {
                    return movq.decode(row, padding_mode_of(tiling));
                  });
  }

  at::Tensor encode(const at::Tensor& pixels, bool tiling, const Monitor& monitor) override {
    const int64_t factor = geometry().latent_factor;
    const std::array shape{pixels.size(0), geometry().latent_channels, pixels.size(2) / factor,
                           pixels.size(3) / factor};
    return by_row("encode", pixels, shape, monitor,
                  [&](const nn::Movq& movq, const at::Tensor& row) {
                    return movq.encode(row, padding_mode_of(tiling));
                  });
  }

  void plan_memory(const Job& job, int64_t max_memory, const Monitor& monitor) override {
    if (!has_plans()) return;
    // The job itself is not kept: the needs are computed again when a component's size
    // changes.
    const JobOutline outline = outline_of(job);
    models_.residency.enter([this, outline] { return memory_needs(outline); }, max_memory, monitor);
  }

  MemorySummary describe_memory(const Job& job, int64_t max_memory) const override {
    if (!has_plans()) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("memory plans are for the CPU; on {} the whole model is loaded",
                              tensor::device_name(models_.placement.device)));
    }
    const MemoryNeeds needs = memory_needs(outline_of(job));
    const MemoryPlan plan = models_.residency.plan(needs, max_memory);
    return {.budget = plan.budget,
            .peak = plan.peak_of_job(),
            .least = least_budget(needs),
            .holds_everything = plan.holds_everything,
            .text = describe(plan, needs)};
  }

  void unload() override {
    models_.unload();
    prompt_cache_ = {};
  }

 private:
  DenoiseRequest with_sampler(DenoiseRequest request) const {
    if (request.sampler == options::kOwnSampler) request.sampler = own_sampler();
    return request;
  }

  /// Plans are for CPU memory; an accelerator's allocator reports its own shortage.
  bool has_plans() const { return models_.placement.device.is_cpu(); }

  JobOutline outline_of(const Job& job) const {
    return pipelines::outline_of(
        job, job.denoise != nullptr && models_.has_inpainting_unet(*job.denoise),
        models_.decoder_text.has_value());
  }

  MemoryNeeds memory_needs(JobOutline outline) const {
    outline.needs_zero_image = outline.needs_zero_image && !zero_image_embeds_.defined();
    return models_.memory_needs(outline);
  }

  /// reason: what it is needed for.
  void check_image_encoder(const std::string& reason) const {
    if (models_.image_encoder) return;
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: its image_encoder is missing; download it: {}",
                            models_.prior_dir.path(), reason));
  }

  ZeroImageSource zero_image_source() const {
    return {.prior = models_.prior_dir,
            .width = models_.unet_config.image_embed_dim(),
            .encoder = models_.image_encoder ? &*models_.image_encoder : nullptr};
  }

  void check_guides(const Job& job) const {
    const DenoiseRequest& request = *job.denoise;
    const auto batch = static_cast<int64_t>(request.seeds.size());
    check_embeds(models_.kind.rules, *job.embeds, models_.unet_config, "embeds", batch,
                 request.conditions);
    if (!is_guided(request)) return;
    if (job.negative_embeds == nullptr) {
      throw Error(ErrorCode::kInvalidArgument,
                  "guidance needs negative embeds; give them, or a guidance scale of 1");
    }
    check_embeds(models_.kind.rules, *job.negative_embeds, models_.unet_config, "negative embeds",
                 batch, request.negative_conditions);
  }

  PromptModels prompt_models() {
    return {.prior_tokenizer = models_.prior_tokenizer,
            .prior_text_encoder = models_.prior_text_encoder,
            .prior = models_.prior,
            .prior_schedule = models_.prior_schedule,
            .decoder = models_.decoder_text ? &*models_.decoder_text : nullptr,
            .cache = prompt_cache()};
  }

  PromptCache* prompt_cache() {
    return models_.placement.speedups.prompt_cache ? &prompt_cache_ : nullptr;
  }

  at::Tensor image_embeds(const std::vector<io::Image>& images, const Monitor& monitor) {
    return pipelines::image_embeds(
        {.encoder = *models_.image_encoder, .prior = models_.prior_dir, .cache = prompt_cache()},
        images, monitor);
  }

  const at::Tensor& zero_image_embeds(const Monitor& monitor) {
    if (zero_image_embeds_.defined()) return zero_image_embeds_;
    monitor.report("image_encoder", 0, 1);
    models_.residency.make_room(models_.image_encoder->index());
    zero_image_embeds_ = make_zero_image(zero_image_source(), monitor);
    monitor.report("image_encoder", 1, 1);
    return zero_image_embeds_;
  }

  /// shape: of the result. It is allocated before the maps of the rows: single results between them
  /// would leave holes that the next maps do not fit into.
  template <typename Convert>
  at::Tensor by_row(const char* stage, const at::Tensor& batch, at::IntArrayRef shape,
                    const Monitor& monitor, const Convert& convert) {
    return models_.movq.run_finite(monitor, [&](const nn::Movq& movq) {
      const auto steps = static_cast<int>(batch.size(0));
      at::Tensor rows = at::empty(shape, at::kFloat);
      monitor.report(stage, 0, steps);
      tensor::each_at_once(
          steps,
          [&](int64_t i) {
            const at::Tensor row = rows.narrow(0, i, 1);
            row.copy_(convert(movq, batch.slice(0, i, i + 1)));
            check_finite(row, stage, models_.movq.placement().dtype);
          },
          [&](int64_t done) {
            tensor::free_recycled();
            monitor.report(stage, static_cast<int>(done), steps);
          });
      return rows;
    });
  }

  Kandinsky2Models models_;
  PromptCache prompt_cache_;
  at::Tensor zero_image_embeds_;  ///< kept by unload(): few values, from a large network
};

}  // namespace

std::unique_ptr<Pipeline> open_kandinsky_2(const Kandinsky2Kind& kind, const io::ModelDir& model,
                                           const CompanionDirs& companions,
                                           const Placements& placements) {
  if (is_prior(kind, model)) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} is a prior folder; give the decoder folder as the model and this one as the prior",
            model.path()));
  }
  const io::ModelDir prior = open_prior_dir(kind, model, companions);
  const std::optional<io::ModelDir> inpaint = open_inpaint_dir(kind, model, companions);
  return std::make_unique<Kandinsky2>(kind, model, prior, inpaint, placements);
}

}  // namespace kandinsky::pipelines
