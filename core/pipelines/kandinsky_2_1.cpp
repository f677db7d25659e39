#include "pipelines/kandinsky_2_1.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "io/json_config.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/encoders/mclip.h"
#include "nn/movq/movq.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "pipelines/check_finite.h"
#include "pipelines/component.h"
#include "pipelines/encode_images.h"
#include "pipelines/encode_prompts.h"
#include "pipelines/run_unet.h"
#include "samplers/sampler.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {
namespace {

constexpr std::string_view kPriorSuffix = "-prior";
constexpr std::string_view kPriorPipelineClass = "KandinskyPriorPipeline";

/// Throws unless every network of both folders agrees on the width of embeddings.
void check_widths(const io::ModelDir& model, const io::ModelDir& prior) {
  struct Width {
    const io::ModelDir& folder;
    const char* component;
    const char* key;
    int64_t fallback;
  };
  const auto read = [](const Width& width) {
    return io::JsonConfig::load(width.folder.component(width.component).config_path())
        .get_int(width.key, width.fallback);
  };
  const Width unet{model, "unet", "cross_attention_dim", 768};
  const int64_t expected = read(unet);
  for (const Width& other : {Width{prior, "prior", "embedding_dim", 768},
                             Width{prior, "text_encoder", "hidden_size", 512},
                             Width{prior, "text_encoder", "projection_dim", 512},
                             Width{prior, "image_encoder", "projection_dim", 512},
                             Width{model, "text_encoder", "numDims", 768}}) {
    if (read(other) == expected) continue;
    throw Error(
        ErrorCode::kIncompatible,
        fmt::format("{} and {} do not fit each other: \"{}\" of {} is {}, but \"{}\" of {} is {}",
                    model.path(), prior.path(), unet.key, unet.component, expected, other.key,
                    other.component, read(other)));
  }
  const int64_t unet_hidden = read({model, "unet", "encoder_hid_dim", 1024});
  const int64_t text_hidden = read({model, "text_encoder", "hidden_size", 1024});
  if (unet_hidden != text_hidden) {
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{}: the unet expects text of width {}, but the text_encoder gives {}",
                            model.path(), unet_hidden, text_hidden));
  }
}

io::ModelDir open_prior(const io::ModelDir& model, std::string_view prior_dir) {
  if (!prior_dir.empty()) return io::ModelDir::open(prior_dir);
  if (auto sibling = model.sibling(kPriorSuffix)) return *sibling;
  throw Error(ErrorCode::kNotFound, fmt::format("{}: there is no prior folder {}{} beside it; put "
                                                "it there or name another one as the prior",
                                                model.path(), model.name(), kPriorSuffix));
}

class Kandinsky21 : public Pipeline {
 public:
  Kandinsky21(const io::ModelDir& model, const io::ModelDir& prior, tensor::Placement placement)
      : prior_dir_(prior),
        placement_(placement),
        prior_tokenizer_(text::ClipTokenizer::load(prior.component("tokenizer").folder())),
        tokenizer_(text::XlmrTokenizer::load(model.component("tokenizer").folder())),
        prior_schedule_(samplers::UnclipSchedule::from_json(config(prior, "scheduler"))),
        schedule_(samplers::NoiseSchedule::from_json(config(model, "scheduler"))),
        unet_config_(nn::UNetConfig::from_json(config(model, "unet"))),
        movq_config_(nn::MovqConfig::from_json(config(model, "movq"))),
        prior_text_encoder_(component<nn::ClipTextEncoder>(prior, "text_encoder")),
        image_encoder_(component<nn::ClipVisionEncoder>(prior, "image_encoder")),
        prior_(component<nn::PriorTransformer>(prior, "prior")),
        text_encoder_(component<nn::MultilingualClip>(model, "text_encoder")),
        unet_(model.weights("unet"), placement,
              [this](const tensor::Weights& weights) { return nn::UNet(unet_config_, weights); }),
        movq_(model.weights("movq"), placement,
              [this](const tensor::Weights& weights) { return nn::Movq(movq_config_, weights); }) {
    check_widths(model, prior);
    check_vocabulary(config(prior, "text_encoder"), prior_tokenizer_.vocab_size());
    check_vocabulary(config(model, "text_encoder"), tokenizer_.vocab_size());
    if (unet_config_.in_channels != movq_config_.latent_channels) {
      throw Error(
          ErrorCode::kUnsupported,
          fmt::format("{}: its unet takes {} channels, text to picture needs {}; is it an "
                      "inpainting model?",
                      model.path(), unet_config_.in_channels, movq_config_.latent_channels));
    }
    const int64_t factor = movq_config_.factor();
    geometry_ = {
        .native_size = unet_config_.sample_size * factor,
        .latent_channels = movq_config_.latent_channels,
        .latent_factor = factor,
        .size_multiple = factor * (int64_t{1} << (unet_config_.block_out_channels.size() - 1))};
  }

  const Geometry& geometry() const override { return geometry_; }
  std::string_view prior_path() const override { return prior_dir_.path(); }
  std::string_view inpaint_path() const override { return {}; }

  void check(const PromptRequest& request) const override {
    request.check();
    samplers::unclip_timesteps(prior_schedule_, request.num_inference_steps);
  }

  void check(const DenoiseRequest& request) const override {
    request.check();
    samplers::find_sampler(request.sampler).check_steps(schedule_, request.num_inference_steps);
  }

  EncodedPrompts encode_prompts(const PromptRequest& request, const Monitor& monitor) override {
    check(request);
    return pipelines::encode_prompts(
        prompt_models(), request, [&] { return zero_image_embeds(monitor); }, monitor);
  }

  Embeds encode_images(const std::vector<io::Image>& pictures, const Monitor& monitor) override {
    check_batch_size(static_cast<int64_t>(pictures.size()));
    for (const io::Image& picture : pictures) io::check_image(picture, "picture");
    const nn::ClipVisionEncoder& encoder = image_encoder_.get(monitor);
    keeps_image_encoder_ = true;
    const ImageProcessor processor(config(prior_dir_, "image_processor"), encoder.image_size());
    const at::Tensor image_embeds = pipelines::encode_images(encoder, processor, pictures, monitor);
    check_finite(image_embeds, "image_encoder", placement_);
    return embeds_without_text(prompt_models(), image_embeds, monitor);
  }

  at::Tensor denoise(const Embeds& embeds, const Embeds* negative_embeds,
                     const DenoiseRequest& request, const Monitor& monitor) override {
    check(request);
    check_embeds(embeds, "embeds", request.seeds.size());
    if (request.guidance_scale > 1.0) {
      if (negative_embeds == nullptr) {
        throw Error(ErrorCode::kInvalidArgument,
                    "guidance needs negative embeds; give them, or a guidance scale of 1");
      }
      check_embeds(*negative_embeds, "negative embeds", request.seeds.size());
    }
    const auto [height, width] = geometry_.latent_size(request.width, request.height);
    const at::Tensor latents = run_unet(unet_.get(monitor), schedule_, geometry_.latent_channels,
                                        height, width, embeds, negative_embeds, request, monitor);
    check_finite(latents, "denoise", placement_);
    return latents;
  }

  at::Tensor decode(const at::Tensor& latents, bool /*tiling*/, const Monitor& monitor) override {
    const nn::Movq& movq = movq_.get(monitor);
    return by_row("decode", latents, monitor,
                  [&movq](const at::Tensor& row) { return movq.decode(row); });
  }

  at::Tensor encode(const at::Tensor& pixels, bool /*tiling*/, const Monitor& monitor) override {
    const nn::Movq& movq = movq_.get(monitor);
    return by_row("encode", pixels, monitor,
                  [&movq](const at::Tensor& row) { return movq.encode(row); });
  }

  void unload() override {
    prior_text_encoder_.unload();
    image_encoder_.unload();
    keeps_image_encoder_ = false;
    prior_.unload();
    text_encoder_.unload();
    unet_.unload();
    movq_.unload();
  }

 private:
  static io::JsonConfig config(const io::ModelDir& folder, const char* component) {
    return io::JsonConfig::load(folder.component(component).config_path());
  }

  template <typename Network>
  Component<Network> component(const io::ModelDir& folder, const char* name) const {
    return {folder.weights(name), placement_,
            [json = config(folder, name)](const tensor::Weights& weights) {
              return Network(json, weights);
            }};
  }

  static void check_vocabulary(const io::JsonConfig& text_encoder, int64_t tokens) {
    const int64_t vocab_size = text_encoder.get_int("vocab_size");
    if (tokens <= vocab_size) return;
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{}: \"vocab_size\" is {}, but the tokenizer beside it has {} tokens",
                            text_encoder.source(), vocab_size, tokens));
  }

  PromptModels prompt_models() {
    return {.prior_tokenizer = prior_tokenizer_,
            .tokenizer = tokenizer_,
            .prior_text_encoder = prior_text_encoder_,
            .text_encoder = text_encoder_,
            .prior = prior_,
            .prior_schedule = prior_schedule_,
            .placement = placement_};
  }

  const at::Tensor& zero_image_embeds(const Monitor& monitor) {
    if (!zero_image_embeds_.defined()) {
      const nn::ClipVisionEncoder& image_encoder = image_encoder_.get(monitor);
      monitor.report("image_encoder", 0, 1);
      const at::Tensor image_embeds = image_encoder.zero_embeds().to(at::kCPU, at::kFloat);
      check_finite(image_embeds, "image_encoder", placement_);
      zero_image_embeds_ = image_embeds;
      // A constant of the model: the tower is not needed again for it.
      if (!keeps_image_encoder_) image_encoder_.unload();
      monitor.report("image_encoder", 1, 1);
    }
    return zero_image_embeds_;
  }

  void check_embeds(const Embeds& embeds, const char* which, size_t batch_size) const {
    const auto batch = static_cast<int64_t>(batch_size);
    const std::vector<std::pair<const char*, std::vector<int64_t>>> expected{
        {"image_embeds", {batch, unet_config_.cross_attention_dim}},
        {"prompt_embeds", {batch, unet_config_.cross_attention_dim}},
        {"text_encoder_hidden_states",
         {batch, text::kDefaultMaxLength, unet_config_.encoder_hid_dim}}};
    for (const auto& [name, shape] : expected) {
      const at::Tensor& tensor = embeds.at(name);
      if (tensor.sizes() == at::IntArrayRef(shape)) continue;
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{}: {} is [{}], but this model and batch need [{}]", which, name,
                              fmt::join(tensor.sizes(), ", "), fmt::join(shape, ", ")));
    }
  }

  template <typename Convert>
  at::Tensor by_row(const char* stage, const at::Tensor& batch, const Monitor& monitor,
                    const Convert& convert) const {
    const auto steps = static_cast<int>(batch.size(0));
    std::vector<at::Tensor> rows;
    monitor.report(stage, 0, steps);
    for (int i = 0; i < steps; ++i) {
      rows.push_back(convert(batch.slice(0, i, i + 1)).to(at::kCPU, at::kFloat));
      check_finite(rows.back(), stage, placement_);
      monitor.report(stage, i + 1, steps);
    }
    return at::cat(rows);
  }

  io::ModelDir prior_dir_;
  tensor::Placement placement_;
  text::ClipTokenizer prior_tokenizer_;
  text::XlmrTokenizer tokenizer_;
  samplers::UnclipSchedule prior_schedule_;
  samplers::NoiseSchedule schedule_;
  nn::UNetConfig unet_config_;
  nn::MovqConfig movq_config_;
  Geometry geometry_;
  Component<nn::ClipTextEncoder> prior_text_encoder_;
  Component<nn::ClipVisionEncoder> image_encoder_;
  Component<nn::PriorTransformer> prior_;
  Component<nn::MultilingualClip> text_encoder_;
  Component<nn::UNet> unet_;
  Component<nn::Movq> movq_;
  bool keeps_image_encoder_ = false;  // pictures are being encoded
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
                                             tensor::Placement placement) {
  if (model.pipeline_class() == kPriorPipelineClass) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} is a prior folder; name the decoder folder as the model and this one as the prior",
            model.path()));
  }
  const io::ModelDir prior = open_prior(model, companions.prior);
  if (prior.pipeline_class() != kPriorPipelineClass) {
    throw Error(
        ErrorCode::kIncompatible,
        fmt::format("{} is no Kandinsky 2.1 prior: its model_index.json names {}, expected {}",
                    prior.path(), prior.pipeline_class(), kPriorPipelineClass));
  }
  return std::make_unique<Kandinsky21>(model, prior, placement);
}

}  // namespace kandinsky::pipelines
