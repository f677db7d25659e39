/// Kandinsky 2.2, where it differs from 2.1.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/unet/unet.h"
#include "parity/image_job.h"
#include "parity/reference.h"
#include "tensor/device.h"

namespace kandinsky::parity {
namespace {

using pipelines::Embeds;
using pipelines::Pipeline;

constexpr const char* kDecoder = "tiny-2-2-decoder";
constexpr const char* kInpaint = "tiny-2-2-decoder-inpaint";
constexpr const char* kDepth = "tiny-2-2-controlnet-depth";

io::Image read_image(const Reference& reference, const std::string& name) {
  const at::Tensor pixels = reference.tensor(name).contiguous();
  const auto* data = pixels.const_data_ptr<uint8_t>();
  return {.width = static_cast<int>(pixels.size(1)),
          .height = static_cast<int>(pixels.size(0)),
          .channels = static_cast<int>(pixels.size(2)),
          .pixels = {data, data + pixels.numel()}};
}

TEST(Kandinsky22Parity, TextTower) {
  const tensor::JobGuard guard;
  const Reference reference("encoders.tiny-2-2");
  const Component component = open_component("tiny-2-2-prior", "text_encoder");
  const nn::ClipTextEncoder encoder(component.config, component.weights);
  const auto output = encoder(reference.tensor("text/ids"));
  expect_close(kClipText, "last_hidden_state", output.last_hidden_state,
               reference.tensor("text/last_hidden_state"));
  expect_close(kClipText, "text_embeds", output.text_embeds, reference.tensor("text/text_embeds"));
}

TEST(Kandinsky22Parity, ImageEncoder) {
  const Reference reference("encoders.tiny-2-2");
  engine::Engine engine = open_engine(tiny_folder(kDecoder));
  const Embeds embeds = engine.encode_images({read_image(reference, "image/pixels")});
  expect_close(kClipVision, "image", embeds.at("image_embeds"),
               reference.tensor("image/image_embeds"));
  EXPECT_EQ(embeds.tensors.size(), 1U);

  const tensor::JobGuard guard;
  const Component component = open_component("tiny-2-2-prior", "image_encoder");
  const nn::ClipVisionEncoder encoder(component.config, component.weights);
  expect_close(kClipVision, "zero_embeds", encoder.zero_embeds(),
               reference.tensor("zero/image_embeds"));
}

TEST(Kandinsky22Parity, UNets) {
  const tensor::JobGuard guard;
  const Reference reference("unet.tiny-2-2");
  const std::vector<std::pair<std::string, const char*>> models{
      {"text", kDecoder}, {"inpaint", kInpaint}, {"hint", kDepth}};
  EXPECT_EQ(reference.cases().size(), models.size());
  for (const auto& [name, model] : models) {
    const Component component = open_component(model, "unet");
    const nn::UNet unet(nn::UNetConfig::from_json(component.config), component.weights);
    at::Tensor sample = reference.tensor(name + "/sample");
    if (reference.has(name + "/image")) {
      const at::Tensor pixels =
          reference.tensor(name + "/image").permute({2, 0, 1}).unsqueeze(0) / 255.0;
      const at::Tensor channels = unet.hint_channels(pixels, nn::PaddingMode::kZeros);
      expect_close(kUnet, name + " channels", channels, reference.tensor(name + "/hint_channels"));
      sample = at::cat({sample, channels}, 1);
    }
    const auto conditioning = unet.condition(reference.tensor(name + "/image_embeds"));
    EXPECT_EQ(conditioning.contexts.front().key.size(1), 32) << name;
    expect_close(kUnet, name, unet(sample, reference.real(name + "/timestep"), conditioning),
                 reference.tensor(name + "/output"));
  }
}

/// What one job asks for: the recorded runs as one batch. They agree on all but texts, seeds,
/// images and masks.
struct Job {
  PromptRequest prompts;
  DenoiseRequest denoise;
};

Job read_job(const Reference& reference, const std::vector<std::string>& names) {
  Job job;
  std::vector<at::Tensor> init_latents;
  std::vector<at::Tensor> masks;
  for (const std::string& name : names) {
    job.prompts.prompts.push_back(reference.text(name + "/prompt"));
    if (reference.has(name + "/negative_prompt"))
      job.prompts.negative_prompts.push_back(reference.text(name + "/negative_prompt"));
    job.prompts.seeds.push_back(static_cast<uint64_t>(reference.integer(name + "/seed")));
    if (reference.has(name + "/init_latents"))
      init_latents.push_back(reference.tensor(name + "/init_latents"));
    if (reference.has(name + "/mask")) masks.push_back(reference.tensor(name + "/mask"));
    if (reference.has(name + "/hint"))
      job.denoise.hints.push_back(read_image(reference, name + "/hint"));
  }
  const std::string& first = names.front();
  const auto integer = [&](const char* what) {
    return static_cast<int>(reference.integer(first + what));
  };
  job.prompts.prior_num_inference_steps = integer("/prior_num_inference_steps");
  job.prompts.prior_guidance_scale = reference.real(first + "/prior_guidance_scale");
  job.prompts.negative_image = NegativeImage::kPrior;
  DenoiseRequest& request = job.denoise;
  request.seeds = job.prompts.seeds;
  request.width = integer("/width");
  request.height = integer("/height");
  request.num_inference_steps = integer("/num_inference_steps");
  request.guidance_scale = reference.real(first + "/guidance_scale");
  request.sampler = reference.text(first + "/sampler");
  if (!init_latents.empty()) request.init_latents = at::cat(init_latents);
  if (!masks.empty()) {
    // The reference starts from pure noise, which is what a strength of 1 means here.
    request.mask = at::cat(masks);
    request.mask_method = MaskMethod::kModel;
    request.strength = 1.0;
  } else {
    request.strength = reference.real(first + "/strength");
    request.init_noise = InitNoise::kReference;
  }
  return job;
}

/// The decoder's folder; the inpainting model is found beside it.
const char* model_of(const Reference& reference, const std::string& name) {
  return reference.text(name + "/pipeline").starts_with("hint") ? kDepth : kDecoder;
}

TEST(Kandinsky22Parity, Images) {
  const Reference reference("images.tiny-2-2");
  engine::Engine decoder = open_engine(tiny_folder(kDecoder));
  engine::Engine depth = open_engine(tiny_folder(kDepth));
  EXPECT_EQ(decoder.inpaint_path(), tiny_folder(kInpaint));
  EXPECT_EQ(depth.prior_path(), tiny_folder("tiny-2-2-prior"));
  for (const std::string& name : reference.cases()) {
    engine::Engine& engine = model_of(reference, name) == kDepth ? depth : decoder;
    Job job = read_job(reference, {name});
    const auto encoded = engine.encode_prompts(job.prompts);
    expect_close(kTextToImageEmbeds, name + " image_embeds", encoded.embeds.at("image_embeds"),
                 reference.tensor(name + "/image_embeds"));
    expect_close(kTextToImageEmbeds, name + " negative_image_embeds",
                 encoded.negative_embeds.at("image_embeds"),
                 reference.tensor(name + "/negative_image_embeds"));
    if (job.denoise.init_latents.defined())
      job.denoise.init_latents = encode_source(engine, reference, name);
    expect_reference_image(engine, reference, name,
                           {.embeds = encoded.embeds,
                            .negative_embeds = encoded.negative_embeds,
                            .request = job.denoise});
  }
}

/// The model that is for inpainting itself, where no other is beside it.
TEST(Kandinsky22Parity, TheInpaintingFolderAsTheModel) {
  const Reference reference("images.tiny-2-2");
  engine::Engine engine = open_engine(tiny_folder(kInpaint));
  const Job job = read_job(reference, {"inpaint"});
  const auto encoded = engine.encode_prompts(job.prompts);
  expect_reference_image(engine, reference, "inpaint",
                         {.embeds = encoded.embeds,
                          .negative_embeds = encoded.negative_embeds,
                          .request = job.denoise});
}

/// Each image has its own start, mask and hint, not the first one's.
TEST(Kandinsky22Parity, BatchesAreSingleImages) {
  const Reference reference("images.tiny-2-2");
  engine::Engine decoder = open_engine(tiny_folder(kDecoder));
  engine::Engine depth = open_engine(tiny_folder(kDepth));
  const auto expect_single = [&](engine::Engine& engine, Job job, size_t count) {
    const auto encoded = engine.encode_prompts(job.prompts);
    const at::Tensor all = engine.denoise(encoded.embeds, &encoded.negative_embeds, job.denoise);
    for (size_t i = 0; i < count; ++i) {
      const auto row = static_cast<int64_t>(i);
      const auto one = [row](const at::Tensor& rows) {
        return rows.defined() ? rows.slice(0, row, row + 1) : rows;
      };
      Job alone = job;
      alone.prompts.prompts = {job.prompts.prompts[i]};
      alone.prompts.seeds = alone.denoise.seeds = {job.denoise.seeds[i]};
      alone.denoise.init_latents = one(job.denoise.init_latents);
      alone.denoise.mask = one(job.denoise.mask);
      if (!job.denoise.hints.empty()) alone.denoise.hints = {job.denoise.hints[i]};
      const auto own = engine.encode_prompts(alone.prompts);
      expect_equal("row " + std::to_string(i), one(all),
                   engine.denoise(own.embeds, &own.negative_embeds, alone.denoise));
    }
  };
  Job inpaint = read_job(reference, {"inpaint", "inpaint"});
  inpaint.prompts.seeds = inpaint.denoise.seeds = {1, 2};
  inpaint.denoise.mask[1].zero_().slice(1, 0, 3).fill_(1.0);
  inpaint.denoise.init_latents[1].mul_(-1.0);
  expect_single(decoder, inpaint, 2);
  Job hint = read_job(reference, {"hint", "hint"});
  hint.prompts.seeds = hint.denoise.seeds = {1, 2};
  for (uint8_t& value : hint.denoise.hints[1].pixels) value = static_cast<uint8_t>(255 - value);
  expect_single(depth, hint, 2);
}

TEST(Kandinsky22Parity, PriorFromAnImage) {
  const Reference reference("emb2emb.tiny-2-2");
  engine::Engine engine = open_engine(tiny_folder(kDecoder));
  for (const std::string& name : reference.cases()) {
    PromptRequest request;
    request.prompts = {reference.text(name + "/prompt")};
    request.seeds = {static_cast<uint64_t>(reference.integer(name + "/seed"))};
    request.prior_images = {read_image(reference, name + "/source")};
    request.prior_strength = reference.real(name + "/strength");
    request.prior_num_inference_steps =
        static_cast<int>(reference.integer(name + "/num_inference_steps"));
    request.negative_image = NegativeImage::kPrior;
    if (reference.has(name + "/negative_prompt"))
      request.negative_prompts = {reference.text(name + "/negative_prompt")};
    const auto encoded = engine.encode_prompts(request);
    expect_close(kPriorLoop, name, encoded.embeds.at("image_embeds"),
                 reference.tensor(name + "/image_embeds"));
    expect_close(kPriorLoop, name + " negative", encoded.negative_embeds.at("image_embeds"),
                 reference.tensor(name + "/negative_image_embeds"));
  }
}

TEST(Kandinsky22Parity, Mixing) {
  const Reference reference("mixing.tiny-2-2");
  engine::Engine engine = open_engine(tiny_folder(kDecoder));
  for (const std::string& name : reference.cases()) {
    PromptRequest request;
    request.prompts = {reference.text(name + "/prompt")};
    request.seeds = {static_cast<uint64_t>(reference.integer(name + "/seed"))};
    request.prior_num_inference_steps =
        static_cast<int>(reference.integer(name + "/num_inference_steps"));
    const Embeds text = engine.encode_prompts(request).embeds;
    const Embeds image = engine.encode_images({read_image(reference, name + "/source")});
    const Embeds* items[] = {&image, &text};
    const at::Tensor weights = reference.tensor(name + "/weights").contiguous();
    const Embeds mix = combine_embeds(items, {weights.const_data_ptr<double>(), 2}, nullptr,
                                      pipelines::MixMethod::kSum);
    expect_close(kMixing, name, mix.at("image_embeds"), reference.tensor(name + "/image_embeds"));
  }
}

}  // namespace
}  // namespace kandinsky::parity
