#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "parity/reference.h"
#include "pipelines/encode_images.h"

namespace kandinsky::parity {
namespace {

using pipelines::Embeds;
using pipelines::NegativeImage;
using pipelines::PromptRequest;

const Reference& reference() {
  static const Reference file("mixing.tiny-2-1-prior");
  return file;
}

std::vector<std::string> cases(std::string_view prefix) {
  std::vector<std::string> names;
  for (const std::string& name : reference().cases()) {
    if (name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

io::Image read_picture(const std::string& name) {
  const at::Tensor pixels = reference().tensor(name + "/pixels").contiguous();
  const auto* data = pixels.const_data_ptr<uint8_t>();
  return {.width = static_cast<int>(pixels.size(1)),
          .height = static_cast<int>(pixels.size(0)),
          .channels = static_cast<int>(pixels.size(2)),
          .pixels = {data, data + pixels.numel()}};
}

class MixingParity : public testing::Test {
 protected:
  static engine::EngineOptions options() {
    static const std::string folder = tiny_folder("tiny-2-1");
    engine::EngineOptions options;
    options.model_dir = folder;
    options.device = "cpu";
    options.precision = "fp32";
    return options;
  }

  Embeds image(const std::string& name) { return engine_.encode_images({read_picture(name)}); }

  engine::Engine engine_{options()};
};

TEST_F(MixingParity, PixelsOfPicturesAreTheReferencesBitForBit) {
  const io::JsonConfig config = open_config("tiny-2-1-prior", "image_processor");
  const auto names = cases("picture_");
  EXPECT_EQ(names.size(), 7U);
  for (const std::string& name : names) {
    const at::Tensor expected = reference().tensor(name + "/pixel_values");
    const pipelines::ImageProcessor processor(config, expected.size(2));
    expect_equal(name, processor(read_picture(name)), expected);
  }
}

TEST_F(MixingParity, EmbedsOfPictures) {
  std::vector<io::Image> pictures;
  std::vector<at::Tensor> expected;
  for (const std::string& name : cases("picture_")) {
    pictures.push_back(read_picture(name));
    expected.push_back(reference().tensor(name + "/image_embeds"));
    expect_close(kClipVision, name, image(name).at("image_embeds"), expected.back());
  }
  expect_close(kClipVision, "all pictures", engine_.encode_images(pictures).at("image_embeds"),
               at::cat(expected));
}

/// What the reference's run of the prior for a text gives, both sides.
pipelines::Pipeline::EncodedPrompts run_prior(engine::Engine& engine, const std::string& name,
                                              const std::string& prompt) {
  PromptRequest request;
  request.prompts = {prompt};
  if (reference().has(name + "/negative_prior_prompt"))
    request.negative_prior_prompts = {{reference().text(name + "/negative_prior_prompt")}};
  request.seeds = {static_cast<uint64_t>(reference().integer(name + "/seed"))};
  request.num_inference_steps =
      static_cast<int>(reference().integer(name + "/prior_num_inference_steps"));
  request.guidance_scale = reference().real(name + "/prior_guidance_scale");
  request.negative_image = NegativeImage::kPrior;
  return engine.encode_prompts(request);
}

TEST_F(MixingParity, Interpolate) {
  int negatives = 0;
  for (const std::string& name : cases("mix_")) {
    const at::Tensor weights = reference().tensor(name + "/weights").contiguous();
    std::vector<Embeds> embeds;
    for (int64_t i = 1; i <= weights.numel(); ++i) {
      const std::string item = name + "/item_" + std::to_string(i);
      embeds.push_back(reference().has(item + "/prompt")
                           ? run_prior(engine_, name, reference().text(item + "/prompt")).embeds
                           : image("picture_" + reference().text(item + "/picture")));
    }
    std::vector<const Embeds*> items;
    for (const Embeds& item : embeds) items.push_back(&item);
    const Embeds mix = combine_embeds(
        items, {weights.const_data_ptr<double>(), static_cast<size_t>(weights.numel())}, nullptr,
        pipelines::MixMethod::kSum);
    expect_close(kMixing, name, mix.at("image_embeds"), reference().tensor(name + "/image_embeds"));

    if (!reference().has(name + "/negative_image_embeds")) continue;
    const std::string negative = reference().text(name + "/negative_prompt");
    const auto run = run_prior(engine_, name, negative);
    expect_close(kMixing, name + " negative",
                 (negative.empty() ? run.negative_embeds : run.embeds).at("image_embeds"),
                 reference().tensor(name + "/negative_image_embeds"));
    ++negatives;
  }
  EXPECT_EQ(negatives, 8);
}

}  // namespace
}  // namespace kandinsky::parity
