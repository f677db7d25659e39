#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "parity/image_job.h"
#include "parity/reference.h"
#include "pipelines/images/encode_images.h"

namespace kandinsky::parity {
namespace {

using pipelines::Embeds;

/// One model, and what was recorded of it.
class Recorded {
 public:
  Recorded(const std::string& folder, const std::string& file)
      : reference(file), engine(open_engine(folder)) {}

  std::vector<std::string> cases(std::string_view prefix) const {
    std::vector<std::string> names;
    for (const std::string& name : reference.cases()) {
      if (name.starts_with(prefix)) names.push_back(name);
    }
    return names;
  }

  io::Image image(const std::string& name) const {
    const at::Tensor pixels = reference.tensor(name + "/pixels").contiguous();
    const auto* data = pixels.const_data_ptr<uint8_t>();
    return {.width = static_cast<int>(pixels.size(1)),
            .height = static_cast<int>(pixels.size(0)),
            .channels = static_cast<int>(pixels.size(2)),
            .pixels = {data, data + pixels.numel()}};
  }

  Embeds embeds_of(const std::string& name) { return engine.encode_images({image(name)}); }

  /// What the reference's run of the prior for a text gives, both sides.
  pipelines::Pipeline::EncodedPrompts run_prior(const std::string& name,
                                                const std::string& prompt) {
    PromptRequest request;
    request.prompts = {prompt};
    if (reference.has(name + "/negative_prior_prompt"))
      request.negative_prior_prompts = {reference.text(name + "/negative_prior_prompt")};
    request.seeds = {seed(name)};
    request.prior_num_inference_steps =
        static_cast<int>(reference.integer(name + "/prior_num_inference_steps"));
    request.prior_guidance_scale = reference.real(name + "/prior_guidance_scale");
    request.negative_image = NegativeImage::kPrior;
    return engine.encode_prompts(request);
  }

  uint64_t seed(const std::string& name) const {
    return static_cast<uint64_t>(reference.integer(name + "/seed"));
  }

  Reference reference;
  engine::Engine engine;
};

Recorded tiny() { return {tiny_folder("tiny-2-1"), "mixing.tiny-2-1-prior"}; }
Recorded demo() { return {demo_folder(), "mixing.kandinsky-demo-prior"}; }

TEST(MixingParity, PixelsOfImagesAreTheReferencesBitForBit) {
  const io::JsonConfig config = open_config("tiny-2-1-prior", "image_processor");
  const Recorded recorded = tiny();
  const auto names = recorded.cases("image_");
  EXPECT_EQ(names.size(), 7U);
  for (const std::string& name : names) {
    const at::Tensor expected = recorded.reference.tensor(name + "/pixel_values");
    const pipelines::ImageProcessor processor(config, expected.size(2));
    expect_equal(name, processor(recorded.image(name)), expected);
  }
}

void expect_embeds_of_images(Recorded recorded) {
  std::vector<io::Image> images;
  std::vector<at::Tensor> expected;
  for (const std::string& name : recorded.cases("image_")) {
    images.push_back(recorded.image(name));
    expected.push_back(recorded.reference.tensor(name + "/image_embeds"));
    expect_close(kClipVision, name, recorded.embeds_of(name).at("image_embeds"), expected.back());
  }
  expect_close(kClipVision, "all images", recorded.engine.encode_images(images).at("image_embeds"),
               at::cat(expected));
}

TEST(MixingParity, EmbedsOfImages) { expect_embeds_of_images(tiny()); }

TEST(MixingParity, EmbedsOfImagesWithTheDemoModel) { expect_embeds_of_images(demo()); }

/// Interpolates as recorded, and generates from it with an empty prompt.
void expect_mixes(Recorded recorded) {
  const Reference& reference = recorded.reference;
  // Its text is the empty one.
  const Embeds image = recorded.embeds_of("image_wide");
  int generated = 0;
  for (const std::string& name : recorded.cases("mix_")) {
    const at::Tensor weights = reference.tensor(name + "/weights").contiguous();
    std::vector<Embeds> embeds;
    for (int64_t i = 1; i <= weights.numel(); ++i) {
      const std::string item = name + "/item_" + std::to_string(i);
      embeds.push_back(reference.has(item + "/prompt")
                           ? recorded.run_prior(name, reference.text(item + "/prompt")).embeds
                           : recorded.embeds_of("image_" + reference.text(item + "/image")));
    }
    std::vector<const Embeds*> items;
    for (const Embeds& item : embeds) items.push_back(&item);
    const Embeds mix = combine_embeds(
        items, {weights.const_data_ptr<double>(), static_cast<size_t>(weights.numel())}, &image,
        pipelines::MixMethod::kSum);
    expect_close(kMixing, name, mix.at("image_embeds"), reference.tensor(name + "/image_embeds"));

    if (!reference.has(name + "/generated")) continue;
    const std::string negative_prompt = reference.text(name + "/negative_prompt");
    const auto run = recorded.run_prior(name, negative_prompt);
    const Embeds& side = negative_prompt.empty() ? run.negative_embeds : run.embeds;
    expect_close(kMixing, name + " negative", side.at("image_embeds"),
                 reference.tensor(name + "/negative_image_embeds"));

    const Embeds* sides[] = {&side};
    const double whole[] = {1.0};
    const Embeds negative = combine_embeds(sides, whole, &image, pipelines::MixMethod::kSum);
    const at::Tensor expected = reference.tensor(name + "/generated");
    DenoiseRequest request;
    request.height = static_cast<int>(expected.size(0));
    request.width = static_cast<int>(expected.size(1));
    request.seeds = {recorded.seed(name)};
    request.num_inference_steps =
        static_cast<int>(reference.integer(name + "/prior_num_inference_steps"));
    request.guidance_scale = reference.real(name + "/prior_guidance_scale");
    at::Tensor result = at::empty(expected.sizes(), at::kByte);
    recorded.engine.generate(mix, &negative, request, nullptr, result.mutable_data_ptr<uint8_t>());
    expect_same_image(name, result, expected);
    ++generated;
  }
  EXPECT_EQ(generated, 8);
}

TEST(MixingParity, InterpolateAndGenerate) { expect_mixes(tiny()); }

TEST(MixingParity, InterpolateAndGenerateWithTheDemoModel) { expect_mixes(demo()); }

}  // namespace
}  // namespace kandinsky::parity
