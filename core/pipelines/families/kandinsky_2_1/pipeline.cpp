#include "pipelines/families/kandinsky_2_1/pipeline.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "base/error.h"
#include "base/memory.h"
#include "io/json_config.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/encoders/mclip.h"
#include "nn/movq/movq.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "pipelines/check_finite.h"
#include "pipelines/denoise/conditioning_rows.h"
#include "pipelines/denoise/conditions.h"
#include "pipelines/denoise/prepare_latents.h"
#include "pipelines/denoise/run_unet.h"
#include "pipelines/families/kandinsky_2_1/folders.h"
#include "pipelines/families/kandinsky_2_1/memory.h"
#include "pipelines/images/encode_images.h"
#include "pipelines/images/mask_blend.h"
#include "pipelines/memory/component.h"
#include "pipelines/text/encode_prompts.h"
#include "samplers/sampler.h"
#include "tensor/at_once.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {
namespace {

class Kandinsky21 : public Pipeline {
 public:
  Kandinsky21(const io::ModelDir& model, const io::ModelDir& prior,
              const std::optional<io::ModelDir>& inpaint, const Placements& placements)
      : prior_dir_(prior),
        inpaint_dir_(inpaint),
        placement_(exact(placements.decoder)),
        prior_tokenizer_(text::ClipTokenizer::load(prior.component("tokenizer").folder())),
        tokenizer_(text::XlmrTokenizer::load(model.component("tokenizer").folder())),
        prior_schedule_(samplers::UnclipSchedule::from_json(config(prior, "scheduler"))),
        schedule_(read_schedule(model)),
        unet_config_(nn::UNetConfig::from_json(config(model, "unet"))),
        movq_config_(nn::MovqConfig::from_json(config(model, "movq"))),
        prior_row_numbers_(nn::PriorTransformer::numbers_of_a_row(config(prior, "prior"))),
        prior_text_encoder_(component<nn::ClipTextEncoder>(
            prior, "text_encoder", clip_text_layout(), exact(placements.prior))),
        image_encoder_(component<nn::ClipVisionEncoder>(
            prior, "image_encoder", clip_vision_layout(), exact(placements.prior))),
        // Int8 weights are for these two, which are large and whose result is an idea only.
        prior_(component<nn::PriorTransformer>(prior, "prior", prior_layout(), placements.prior)),
        text_encoder_(component<nn::MultilingualClip>(
            model, "text_encoder", multilingual_clip_layout(), placements.decoder)),
        unet_(model.weights("unet"), placement_, unet_layout(),
              [this](const tensor::Weights& weights) { return nn::UNet(unet_config_, weights); }),
        movq_(model.weights("movq"), placement_, movq_layout(),
              [this](const tensor::Weights& weights) { return nn::Movq(movq_config_, weights); }) {
    check_widths(model, prior);
    check_text_lengths(model, prior);
    check_channels(model, unet_config_, movq_config_);
    check_vocabulary(config(prior, "text_encoder"), prior_tokenizer_.vocab_size());
    check_vocabulary(config(model, "text_encoder"), tokenizer_.vocab_size());
    // Texts alone need none.
    if (prior.find("image_processor") != nullptr) read_image_processor(prior);
    if (inpaint && !is_inpainting_unet(unet_config_, movq_config_.latent_channels)) {
      inpaint_unet_.emplace(inpaint->weights("unet"), placement_, unet_layout(),
                            [json = config(*inpaint, "unet")](const tensor::Weights& weights) {
                              return nn::UNet(nn::UNetConfig::from_json(json), weights);
                            });
    }
    const int64_t factor = movq_config_.factor();
    geometry_ = {
        .native_size = kandinsky_2_1_native_size(model),
        .latent_channels = movq_config_.latent_channels,
        .latent_factor = factor,
        .size_multiple = factor * (int64_t{1} << (unet_config_.block_out_channels.size() - 1))};
    // Embeds are kept by their callers: what every image needs is worth most.
    movq_.join(residency_, "movq");
    unet_.join(residency_, "unet");
    if (inpaint_unet_) inpaint_unet_->join(residency_, "inpaint unet");
    prior_text_encoder_.join(residency_, "prior text encoder");
    text_encoder_.join(residency_, "text encoder");
    prior_.join(residency_, "prior");
    image_encoder_.join(residency_, "image encoder");
  }

  const Geometry& geometry() const override { return geometry_; }
  std::string_view prior_path() const override { return prior_dir_.path(); }
  std::string_view inpaint_path() const override {
    return inpaint_dir_ ? inpaint_dir_->path() : std::string_view();
  }

  void check(const PromptRequest& request) const override {
    request.check();
    samplers::unclip_timesteps(prior_schedule_, request.prior_num_inference_steps);
  }

  void check(const DenoiseRequest& request) const override {
    request.check();
    samplers::find_sampler(request.sampler)
        .check_steps(schedule_, request.num_inference_steps, request.scheduler);
    check_conditions(request);
    check_init_noise(request);
    if (request.mask_method == MaskMethod::kModel && !inpaint_dir_) {
      throw Error(ErrorCode::kInvalidArgument,
                  "the mask method \"model\" needs an inpainting model, and there is none beside "
                  "the model nor was one named");
    }
    if (request.tiling) geometry_.check_tiling(request.width, request.height);
    const auto [height, width] = geometry_.latent_size(request.width, request.height);
    const auto batch = static_cast<int64_t>(request.seeds.size());
    const std::vector<int64_t> latents{batch, geometry_.latent_channels, height, width};
    check_shape("noise", request.noise, latents);
    check_shape("init_latents", request.init_latents, latents);
    check_shape("mask", request.mask, {batch, 1, height, width});
  }

  void check(const Embeds& embeds, const Embeds* negative_embeds,
             const DenoiseRequest& request) const override {
    check(request);
    const auto batch = static_cast<int64_t>(request.seeds.size());
    check_embeds(embeds, unet_config_, "embeds", batch, request.conditions);
    if (!is_guided(request)) return;
    if (negative_embeds == nullptr) {
      throw Error(ErrorCode::kInvalidArgument,
                  "guidance needs negative embeds; give them, or a guidance scale of 1");
    }
    check_embeds(*negative_embeds, unet_config_, "negative embeds", batch,
                 request.negative_conditions);
  }

  EncodedPrompts encode_prompts(const PromptRequest& request, const Monitor& monitor) override {
    check(request);
    return pipelines::encode_prompts(
        prompt_models(), request, [&] { return zero_image_embeds(monitor); }, monitor);
  }

  Embeds encode_images(const std::vector<io::Image>& images, const Monitor& monitor) override {
    check_batch_size(static_cast<int64_t>(images.size()));
    for (const io::Image& image : images) io::check_image(image, "image");
    keeps_image_encoder_ = true;
    const auto encode = [&](const nn::ClipVisionEncoder& encoder) {
      const ImageProcessor processor = read_image_processor(prior_dir_);
      at::Tensor embeds = pipelines::encode_images(encoder, processor, images, monitor);
      check_finite(embeds, "image_encoder", image_encoder_.placement().dtype);
      return embeds;
    };
    const at::Tensor image_embeds = image_encoder_.run_finite(monitor, encode);
    return embeds_without_text(prompt_models(), image_embeds, monitor);
  }

  at::Tensor denoise(const Embeds& embeds, const Embeds* negative_embeds,
                     const DenoiseRequest& request, const Monitor& monitor) override {
    check(embeds, negative_embeds, request);
    if (!is_guided(request)) negative_embeds = nullptr;
    if (request.num_running_steps() == 0) return request.init_latents;
    const bool is_shown =
        shows_mask(request.mask.defined(), request.mask_method, inpaint_dir_.has_value());
    if (request.mask.defined()) {
      const at::Tensor mask = is_shown ? hard_mask(request.mask) : request.mask;
      if (!mask.any().item<bool>()) return request.init_latents;
      if (request.mask_method == MaskMethod::kAuto && !is_shown)
        monitor.say("There is no inpainting model: the model itself generates inside the mask.");
    }
    Component<nn::UNet>& unet = is_shown && inpaint_unet_ ? *inpaint_unet_ : unet_;
    return unet.run_finite(monitor, [&](const nn::UNet& network) {
      at::Tensor latents =
          run_unet(network, schedule_, geometry_, embeds, negative_embeds, request, monitor);
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

  void plan_memory(const JobOutline& job, int64_t max_memory, const Monitor& monitor) override {
    if (!has_plans()) return;
    residency_.enter([this, job] { return memory_needs(job); }, max_memory, monitor);
  }

  MemorySummary describe_memory(const JobOutline& job, int64_t max_memory) const override {
    if (!has_plans()) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("memory plans are for the CPU; on {} the whole model is loaded",
                              tensor::device_name(placement_.device)));
    }
    const MemoryNeeds needs = memory_needs(job);
    const MemoryPlan plan = residency_.plan(needs, max_memory);
    return {.budget = plan.budget,
            .peak = plan.peak(),
            .least = least_budget(needs),
            .holds_everything = plan.holds_everything,
            .text = describe(plan, needs)};
  }

  void unload() override {
    prior_text_encoder_.unload();
    image_encoder_.unload();
    keeps_image_encoder_ = false;
    prior_.unload();
    text_encoder_.unload();
    unet_.unload();
    if (inpaint_unet_) inpaint_unet_->unload();
    movq_.unload();
    trim_heap();
  }

 private:
  static io::JsonConfig config(const io::ModelDir& folder, const char* component) {
    return io::JsonConfig::load(folder.component(component).config_path());
  }

  /// Plans are for the machine's own memory; what an accelerator lacks, its allocator says.
  bool has_plans() const { return placement_.device.is_cpu(); }

  MemoryNeeds memory_needs(const JobOutline& job) const {
    JobOutline needed = job;
    needed.needs_zero_image = job.needs_zero_image && !zero_image_embeds_.defined();
    const bool is_shown = shows_mask(job.has_mask, job.mask_method, inpaint_dir_.has_value());
    const Component<nn::UNet>& unet = is_shown && inpaint_unet_ ? *inpaint_unet_ : unet_;
    return pipelines::memory_needs(residency_.components(),
                                   {.prior_text_encoder = prior_text_encoder_.index(),
                                    .text_encoder = text_encoder_.index(),
                                    .prior = prior_.index(),
                                    .image_encoder = image_encoder_.index(),
                                    .unet = unet.index(),
                                    .movq = movq_.index()},
                                   {.unet = unet_config_,
                                    .movq = movq_config_,
                                    .geometry = geometry_,
                                    .prior_row_numbers = prior_row_numbers_,
                                    .images_at_once = images_at_once(job.batch_size),
                                    .prior_placement = prior_.placement(),
                                    .unet_placement = unet.placement(),
                                    .movq_placement = movq_.placement()},
                                   needed);
  }

  int64_t images_at_once(int64_t batch_size) const {
    return placement_.speedups.images_at_once ? tensor::most_at_once(batch_size) : 1;
  }

  static tensor::Placement exact(tensor::Placement placement) {
    placement.int8_weights = false;
    return placement;
  }

  template <typename Network>
  static Component<Network> component(const io::ModelDir& folder, const char* name,
                                      WeightLayout layout, const tensor::Placement& placement) {
    return {folder.weights(name), placement, std::move(layout),
            [json = config(folder, name)](const tensor::Weights& weights) {
              return Network(json, weights);
            }};
  }

  PromptModels prompt_models() {
    return {.prior_tokenizer = prior_tokenizer_,
            .tokenizer = tokenizer_,
            .prior_text_encoder = prior_text_encoder_,
            .text_encoder = text_encoder_,
            .prior = prior_,
            .prior_schedule = prior_schedule_,
            .cache = placement_.speedups.kept_embeds ? &prompt_cache_ : nullptr};
  }

  const at::Tensor& zero_image_embeds(const Monitor& monitor) {
    if (!zero_image_embeds_.defined()) {
      zero_image_embeds_ =
          image_encoder_.run_finite(monitor, [&](const nn::ClipVisionEncoder& image_encoder) {
            monitor.report("image_encoder", 0, 1);
            at::Tensor image_embeds = image_encoder.zero_embeds().to(at::kCPU, at::kFloat);
            check_finite(image_embeds, "image_encoder", image_encoder_.placement().dtype);
            return image_embeds;
          });
      // A constant of the model: the tower is not needed again for it.
      if (!keeps_image_encoder_) image_encoder_.unload();
      monitor.report("image_encoder", 1, 1);
    }
    return zero_image_embeds_;
  }

  static void check_shape(const char* name, const at::Tensor& tensor,
                          const std::vector<int64_t>& expected) {
    if (!tensor.defined() || tensor.sizes() == at::IntArrayRef(expected)) return;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is [{}], but this size and batch need [{}]", name,
                            fmt::join(tensor.sizes(), ", "), fmt::join(expected, ", ")));
  }

  static nn::PaddingMode padding_mode_of(bool tiling) {
    return tiling ? nn::PaddingMode::kCircular : nn::PaddingMode::kZeros;
  }

  template <typename Convert>
  at::Tensor by_row(const char* stage, const at::Tensor& batch, const Monitor& monitor,
                    const Convert& convert) {
    return movq_.run_finite(monitor, [&](const nn::Movq& movq) {
      const auto steps = static_cast<int>(batch.size(0));
      std::vector<at::Tensor> rows(static_cast<size_t>(steps));
      monitor.report(stage, 0, steps);
      tensor::each_at_once(
          steps,
          [&](int64_t i) {
            at::Tensor& row = rows[static_cast<size_t>(i)];
            row = convert(movq, batch.slice(0, i, i + 1)).to(at::kCPU, at::kFloat);
            check_finite(row, stage, movq_.placement().dtype);
          },
          [&](int64_t done) { monitor.report(stage, static_cast<int>(done), steps); });
      return at::cat(rows);
    });
  }

  io::ModelDir prior_dir_;
  std::optional<io::ModelDir> inpaint_dir_;  ///< the model itself if it is an inpainting one
  tensor::Placement placement_;              ///< of UNet and MoVQ
  text::ClipTokenizer prior_tokenizer_;
  text::XlmrTokenizer tokenizer_;
  samplers::UnclipSchedule prior_schedule_;
  samplers::NoiseSchedule schedule_;
  nn::UNetConfig unet_config_;
  nn::MovqConfig movq_config_;
  int64_t prior_row_numbers_;
  Geometry geometry_;
  Residency residency_;
  Component<nn::ClipTextEncoder> prior_text_encoder_;
  Component<nn::ClipVisionEncoder> image_encoder_;
  Component<nn::PriorTransformer> prior_;
  Component<nn::MultilingualClip> text_encoder_;
  Component<nn::UNet> unet_;
  std::optional<Component<nn::UNet>> inpaint_unet_;
  Component<nn::Movq> movq_;
  PromptCache prompt_cache_;
  bool keeps_image_encoder_ = false;  // images are being encoded
  at::Tensor zero_image_embeds_;
};

}  // namespace

bool recognizes_kandinsky_2_1(const io::ModelDir& model) {
  if (model.pipeline_class() == kPriorPipelineClass) return true;
  const io::ComponentInfo* text_encoder = model.find("text_encoder");
  return text_encoder != nullptr && text_encoder->class_name == "MultilingualCLIP" &&
         model.find("unet") != nullptr && model.find("movq") != nullptr;
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
