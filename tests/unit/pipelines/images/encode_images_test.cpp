#include "pipelines/images/encode_images.h"

#include <memory>

#include "base/progress.h"
#include "options/requests.h"
#include "pipelines/job.h"
#include "pipelines/monitor.h"
#include "unit/pipelines/tiny_encoding.h"

namespace kandinsky::pipelines {
namespace {

constexpr int64_t kSize = 56;

io::Image test_image(int width, int height, int channels) {
  io::Image image{width, height, channels, {}};
  for (int i = 0; i < width * height * channels; ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  }
  return image;
}

ImageProcessor processor(std::string_view json = "{}") {
  return {io::JsonConfig::parse(json, "preprocessor_config.json"), kSize};
}

TEST(ImageProcessor, GreyAndOpaqueImagesAreTheirRgb) {
  const io::Image grey = test_image(30, 20, 1);
  io::Image rgb{30, 20, 3, {}};
  io::Image rgba{30, 20, 4, {}};
  for (const std::uint8_t value : grey.pixels) {
    rgb.pixels.insert(rgb.pixels.end(), {value, value, value});
    rgba.pixels.insert(rgba.pixels.end(), {value, value, value, 255});
  }
  const at::Tensor expected = processor()(rgb);
  EXPECT_EQ(expected.sizes(), (at::IntArrayRef{1, 3, kSize, kSize}));
  EXPECT_TRUE(processor()(grey).equal(expected));
  EXPECT_TRUE(processor()(rgba).equal(expected));
}

TEST(ImageProcessor, TransparentPlacesAreWhite) {
  io::Image clear = test_image(30, 20, 4);
  for (size_t i = 3; i < clear.pixels.size(); i += 4) clear.pixels[i] = 0;
  const io::Image white{30, 20, 3, std::vector<std::uint8_t>(30 * 20 * 3, 255)};
  EXPECT_TRUE(processor()(clear).equal(processor()(white)));
}

TEST(ImageProcessor, AnyShapeIsTaken) {
  for (const auto& [width, height] : {std::pair{1, 1}, std::pair{1, 9000}, std::pair{9000, 1},
                                      std::pair{65535, 3}, std::pair{57, 56}}) {
    const at::Tensor pixels = processor()(test_image(width, height, 3));
    EXPECT_EQ(pixels.sizes(), (at::IntArrayRef{1, 3, kSize, kSize}));
    EXPECT_TRUE(pixels.isfinite().all().item<bool>());
  }
}

TEST(ImageProcessor, NormalisesByItsConfig) {
  const io::Image white{2, 2, 3, std::vector<std::uint8_t>(12, 255)};
  const at::Tensor pixels =
      processor(R"({"image_mean": [0.5, 0.25, 0], "image_std": [0.5, 1, 2]})")(white);
  const at::Tensor expected = at::tensor({1.0F, 0.75F, 0.5F}).view({1, 3, 1, 1});
  EXPECT_TRUE(at::allclose(pixels, expected.expand_as(pixels), 0, 1e-6));
}

TEST(ImageProcessor, RefusesAnotherWayOfProcessing) {
  const auto refuse = [](ErrorCode code, std::string_view part, std::string_view json) {
    test::expect_error(code, part, [&] { (void)processor(json); });
  };
  refuse(ErrorCode::kIncompatible,
         "images of side 224 cut to 56, but the image_encoder beside it takes 56",
         R"({"size": {"shortest_edge": 224}})");
  refuse(ErrorCode::kIncompatible, "cut to 60", R"({"crop_size": 60})");
  refuse(ErrorCode::kUnsupported, "\"resample\" is 2", R"({"resample": 2})");
  refuse(ErrorCode::kUnsupported, "\"do_center_crop\" is false", R"({"do_center_crop": false})");
  refuse(ErrorCode::kCorruptFile, "\"image_std\" has 2 numbers", R"({"image_std": [1, 1]})");
  refuse(ErrorCode::kCorruptFile, "shortest_edge", R"({"size": {"height": 56}})");
}

class EncodeImagesTest : public TinyEncodingTest {
 protected:
  Embeds embeds_of(const std::vector<io::Image>& images) {
    stages_.clear();
    pipeline_->check({.images = &images});
    return pipeline_->encode_images(images, monitor_);
  }

  /// One stage at a time from now on: the empty text, which is encoded after the images, makes room
  /// for itself.
  void limit_memory() {
    const std::vector<io::Image> images{test_image(8, 8, 3)};
    const Job job{.images = &images};
    pipeline_->plan_memory(job, pipeline_->describe_memory(job, 0).least, monitor_);
  }
};

TEST_F(EncodeImagesTest, RowsAreThoseOfEachImageAlone) {
  pipeline_ = open({"prompt-cache"});
  const std::vector<io::Image> images{test_image(60, 40, 3), test_image(5, 80, 4),
                                      test_image(1, 1, 1)};
  const Embeds all = embeds_of(images);
  ASSERT_EQ(all.batch_size(), 3);
  for (int64_t i = 0; i < 3; ++i) {
    expect_same(row(all, i), embeds_of({images[static_cast<size_t>(i)]}));
  }
  EXPECT_FALSE(all.at("image_embeds")[0].equal(all.at("image_embeds")[1]));
}

TEST_F(EncodeImagesTest, TheTextIsTheEmptyOne) {
  const Embeds image = embeds_of({test_image(60, 40, 3)});
  EXPECT_EQ(began("image_encoder"), 1);
  const Embeds text = encode(request({""})).embeds;
  EXPECT_TRUE(image.at("prompt_embeds").equal(text.at("prompt_embeds")));
  EXPECT_TRUE(image.at("text_encoder_hidden_states").equal(text.at("text_encoder_hidden_states")));
  EXPECT_FALSE(image.at("image_embeds").equal(text.at("image_embeds")));
}

TEST_F(EncodeImagesTest, TheTowerStaysWhileImagesAreEncoded) {
  const std::vector<io::Image> images{test_image(8, 8, 3)};
  (void)embeds_of(images);
  EXPECT_EQ(began("load"), 2);  // the tower, and the text encoder for the empty text
  (void)embeds_of({test_image(9, 8, 3)});
  EXPECT_EQ(began("load"), 0);
  (void)encode(request({"a"}));  // whose zero image needs it once, but not loaded
  (void)began("load");
  (void)embeds_of({test_image(10, 8, 3)});
  EXPECT_EQ(began("load"), 0);
  pipeline_->unload();
  (void)embeds_of(images);
  EXPECT_EQ(began("load"), 2);  // nothing is kept of the image and of the empty text
}

TEST_F(EncodeImagesTest, AnImageIsEncodedOnce) {
  limit_memory();
  const Embeds first = embeds_of({test_image(60, 40, 3)});
  EXPECT_EQ(began("load"), 2);
  const Embeds again = embeds_of({test_image(60, 40, 3)});
  EXPECT_EQ(began("load"), 0);
  EXPECT_EQ(began("image_encoder"), 1);
  expect_same(again, first);
  (void)embeds_of({test_image(60, 40, 3), test_image(60, 41, 3)});
  EXPECT_EQ(began("load"), 1);
  EXPECT_EQ(began("image_encoder"), 1);
}

TEST_F(EncodeImagesTest, WithoutTheCacheAnImageIsEncodedEachTime) {
  pipeline_ = open({"prompt-cache"});
  limit_memory();
  (void)embeds_of({test_image(60, 40, 3)});
  (void)embeds_of({test_image(60, 40, 3)});
  EXPECT_EQ(began("load"), 2);
}

TEST_F(EncodeImagesTest, ImagesOfThePriorAreEncodedOnceToo) {
  limit_memory();
  const std::vector<io::Image> images{test_image(60, 40, 3)};
  (void)embeds_of(images);
  PromptRequest guided = request({"a red circle"});
  guided.prior_images = images;
  guided.prior_strength = 1.0;
  const Embeds embeds = encode(guided).embeds;
  EXPECT_EQ(stages_.front(), "image_encoder");  // and not its loading
  pipeline_ = open();
  expect_same(encode(guided).embeds, embeds);
  EXPECT_EQ(stages_.front(), "load");
}

TEST_F(EncodeImagesTest, WhateverAnEmbeddingDependsOnIsEncodedAgain) {
  const std::unique_ptr<Pipeline> plain = open({"prompt-cache"});
  io::Image changed = test_image(6, 4, 3);
  changed.pixels.back() ^= 128;
  // All but that one have the same bytes.
  for (const io::Image& image : {test_image(6, 4, 3), test_image(4, 6, 3), test_image(18, 4, 1),
                                 test_image(6, 3, 4), changed, test_image(6, 4, 3)}) {
    SCOPED_TRACE(testing::Message() << image.width << ' ' << image.height);
    expect_same(embeds_of({image}), plain->encode_images({image}, monitor_));
  }
}

TEST_F(EncodeImagesTest, KnownImagesCountAsStepsToo) {
  const std::vector<io::Image> images{test_image(8, 8, 3), test_image(9, 8, 3)};
  (void)embeds_of({images[1]});
  std::vector<int> steps;
  const Monitor counting(cancel_,
                         [&](const Progress& progress, const at::Tensor&) {
                           if (std::string_view(progress.stage) == "image_encoder") {
                             EXPECT_EQ(progress.steps, 2);
                             steps.push_back(progress.step);
                           }
                           return ProgressAction::kContinue;
                         },
                         {});
  (void)pipeline_->encode_images(images, counting);
  (void)pipeline_->encode_images(images, counting);
  EXPECT_EQ(steps, (std::vector<int>{0, 1, 2, 0, 1, 2}));
}

TEST_F(EncodeImagesTest, RefusesWhatIsNoImage) {
  const auto refuse = [&](std::string_view part, const std::vector<io::Image>& images) {
    test::expect_error(ErrorCode::kInvalidArgument, part, [&] { (void)embeds_of(images); });
    EXPECT_EQ(began("load"), 0);
  };
  refuse("batch size is 0", {});
  refuse("batch size is 65", std::vector(65, test_image(1, 1, 1)));
  refuse("0 x 3 pixels", {test_image(2, 2, 3), test_image(0, 3, 3)});
  refuse("2 channels", {test_image(2, 2, 2)});
  io::Image torn = test_image(4, 4, 3);
  torn.pixels.pop_back();
  refuse("47 values", {torn});
}

}  // namespace
}  // namespace kandinsky::pipelines
