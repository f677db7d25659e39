#include "pipelines/families/kandinsky_2_1/pipeline.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "pipelines/check_finite.h"
#include "pipelines/denoise/check_request.h"
#include "pipelines/denoise/conditioning_rows.h"
#include "pipelines/denoise/conditions.h"
#include "pipelines/denoise/run_unet.h"
#include "pipelines/families/kandinsky_2_1/models.h"
#include "pipelines/images/encode_images.h"
#include "pipelines/images/mask_blend.h"
#include "pipelines/text/encode_prompts.h"
#include "tensor/at_once.h"

namespace kandinsky::pipelines {
namespace {

nn::PaddingMode padding_mode_of(bool tiling) {
  return tiling ? nn::PaddingMode::kCircular : nn::PaddingMode::kZeros;
}

class Kandinsky21 : public Pipeline {
 public:
  Kandinsky21(const io::ModelDir& model, const io::ModelDir& prior,
              const std::optional<io::ModelDir>& inpaint, const Placements& placements)
      : models_(model, prior, inpaint, placements) {}

  const Geometry& geometry() const override { return models_.geometry; }
  std::string_view prior_path() const override { return models_.prior_dir.path(); }
  std::string_view inpaint_path() const override {
    return models_.inpaint_dir ? models_.inpaint_dir->path() : std::string_view();
  }

  void check(const Job& job) const override {
    check_job(job, geometry());
    if (job.prompts != nullptr)
      samplers::unclip_timesteps(models_.prior_schedule, job.prompts->prior_num_inference_steps);
    if (job.denoise != nullptr)
      check_request(*job.denoise, models_.schedule, geometry(), models_.inpaint_dir.has_value());
    if (job.denoise != nullptr && job.prompts != nullptr) {
      const auto rows = static_cast<int64_t>(job.prompts->prompts.size());
      check_rows("embeds", rows, job.denoise->conditions);
      check_rows("negative embeds", rows, job.denoise->negative_conditions);
    }
    if (job.embeds != nullptr) check_guides(job);
  }

  EncodedPrompts encode_prompts(const PromptRequest& request, const Monitor& monitor) override {
    return pipelines::encode_prompts(
        prompt_models(), request, [&] { return zero_image_embeds(monitor); }, monitor);
  }

  Embeds encode_images(const std::vector<io::Image>& images, const Monitor& monitor) override {
    keeps_image_encoder_ = true;
    const auto encode = [&](const nn::ClipVisionEncoder& encoder) {
      const ImageProcessor processor = read_image_processor(models_.prior_dir);
      at::Tensor embeds = pipelines::encode_images(encoder, processor, images, monitor);
      check_finite(embeds, "image_encoder", models_.image_encoder.placement().dtype);
      return embeds;
    };
    const at::Tensor image_embeds = models_.image_encoder.run_finite(monitor, encode);
    return embeds_without_text(prompt_models(), image_embeds, monitor);
  }

  at::Tensor denoise(const Embeds& embeds, const Embeds* negative_embeds,
                     const DenoiseRequest& request, const Monitor& monitor) override {
    if (!is_guided(request)) negative_embeds = nullptr;
    if (request.num_running_steps() == 0) return request.init_latents;
    if (request.mask.defined()) {
      const bool is_shown = shows_mask(true, request.mask_method, models_.inpaint_dir.has_value());
      const at::Tensor mask = is_shown ? hard_mask(request.mask) : request.mask;
      if (!mask.any().item<bool>()) return request.init_latents;
      if (request.mask_method == MaskMethod::kAuto && !is_shown)
        monitor.say("There is no inpainting model: the model itself generates inside the mask.");
    }
    Component<nn::UNet>& unet =
        models_.takes_inpaint_unet(request.mask.defined(), request.mask_method)
            ? *models_.inpaint_unet
            : models_.unet;
    return unet.run_finite(monitor, [&](const nn::UNet& network) {
      at::Tensor latents = run_unet(network, models_.schedule, geometry(), embeds, negative_embeds,
                                    request, monitor);
      check_finite(latents, "denoise", unet.placement().dtype);
      return latents;
    });
  }

  at::Tensor decode(const at::Tensor& latents, bool tiling, const Monitor& monitor) override {
    return by_row("decode", latents, monitor, [&](const nn::Movq& movq, const at::Tensor& row) {
      return movq.decode(row, padding_mode_of(tiling));
    });
  }

  at::Tensor encode(const at::Tensor& pixels, bool tiling, const Monitor& monitor) override {
    return by_row("encode", pixels, monitor, [&](const nn::Movq& movq, const at::Tensor& row) {
      return movq.encode(row, padding_mode_of(tiling));
    });
  }

  void plan_memory(const Job& job, int64_t max_memory, const Monitor& monitor) override {
    if (!has_plans()) return;
    // Of the job itself nothing stays: the needs are asked for again when a component's size
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
            .peak = plan.peak(),
            .least = least_budget(needs),
            .holds_everything = plan.holds_everything,
            .text = describe(plan, needs)};
  }

  void unload() override {
    models_.unload();
    keeps_image_encoder_ = false;
    prompt_cache_ = {};
  }

 private:
  /// Plans are for the machine's own memory; what an accelerator lacks, its allocator says.
  bool has_plans() const { return models_.placement.device.is_cpu(); }

  MemoryNeeds memory_needs(JobOutline outline) const {
    outline.needs_zero_image = outline.needs_zero_image && !zero_image_embeds_.defined();
    return models_.memory_needs(outline);
  }

  void check_guides(const Job& job) const {
    const DenoiseRequest& request = *job.denoise;
    const auto batch = static_cast<int64_t>(request.seeds.size());
    check_embeds(*job.embeds, models_.unet_config, "embeds", batch, request.conditions);
    if (!is_guided(request)) return;
    if (job.negative_embeds == nullptr) {
      throw Error(ErrorCode::kInvalidArgument,
                  "guidance needs negative embeds; give them, or a guidance scale of 1");
    }
    check_embeds(*job.negative_embeds, models_.unet_config, "negative embeds", batch,
                 request.negative_conditions);
  }

  PromptModels prompt_models() {
    return {.prior_tokenizer = models_.prior_tokenizer,
            .tokenizer = models_.tokenizer,
            .prior_text_encoder = models_.prior_text_encoder,
            .text_encoder = models_.text_encoder,
            .prior = models_.prior,
            .prior_schedule = models_.prior_schedule,
            .cache = models_.placement.speedups.prompt_cache ? &prompt_cache_ : nullptr};
  }

  const at::Tensor& zero_image_embeds(const Monitor& monitor) {
    if (!zero_image_embeds_.defined()) {
      zero_image_embeds_ =
          models_.image_encoder.run_finite(monitor, [&](const nn::ClipVisionEncoder& encoder) {
            monitor.report("image_encoder", 0, 1);
            at::Tensor image_embeds = encoder.zero_embeds().to(at::kCPU, at::kFloat);
            check_finite(image_embeds, "image_encoder", models_.image_encoder.placement().dtype);
            return image_embeds;
          });
      // A constant of the model: the tower is not needed again for it.
      if (!keeps_image_encoder_) models_.image_encoder.unload();
      monitor.report("image_encoder", 1, 1);
    }
    return zero_image_embeds_;
  }

  template <typename Convert>
  at::Tensor by_row(const char* stage, const at::Tensor& batch, const Monitor& monitor,
                    const Convert& convert) {
    return models_.movq.run_finite(monitor, [&](const nn::Movq& movq) {
      const auto steps = static_cast<int>(batch.size(0));
      std::vector<at::Tensor> rows(static_cast<size_t>(steps));
      monitor.report(stage, 0, steps);
      tensor::each_at_once(
          steps,
          [&](int64_t i) {
            at::Tensor& row = rows[static_cast<size_t>(i)];
            row = convert(movq, batch.slice(0, i, i + 1)).to(at::kCPU, at::kFloat);
            check_finite(row, stage, models_.movq.placement().dtype);
          },
          [&](int64_t done) { monitor.report(stage, static_cast<int>(done), steps); });
      return at::cat(rows);
    });
  }

  Kandinsky21Models models_;
  PromptCache prompt_cache_;
  bool keeps_image_encoder_ = false;  ///< images are being encoded
  at::Tensor zero_image_embeds_;      ///< kept by unload(): few values, from a large network
};

}  // namespace

const char* kandinsky_2_1_role(const io::ModelDir& folder) {
  if (folder.pipeline_class() == kPriorPipelineClass) return "prior";
  const io::ComponentInfo* const text_encoder = folder.find("text_encoder");
  const bool is_decoder = text_encoder != nullptr &&
                          text_encoder->class_name == "MultilingualCLIP" &&
                          folder.find("unet") != nullptr && folder.find("movq") != nullptr;
  if (!is_decoder) return "";
  return folder.pipeline_class().find("Inpaint") != std::string_view::npos ? "inpaint" : "model";
}

std::unique_ptr<Pipeline> open_kandinsky_2_1(const io::ModelDir& model,
                                             const CompanionDirs& companions,
                                             const Placements& placements) {
  if (model.pipeline_class() == kPriorPipelineClass) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} is a prior folder; name the decoder folder as the model and this one as the prior",
            model.path()));
  }
  const io::ModelDir prior = open_prior_dir(model, companions.prior);
  const std::optional<io::ModelDir> inpaint = open_inpaint_dir(model, companions.inpaint);
  return std::make_unique<Kandinsky21>(model, prior, inpaint, placements);
}

}  // namespace kandinsky::pipelines
