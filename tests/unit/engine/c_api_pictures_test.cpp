/// Pictures and embeds of every kind through the C++ layer: files, image to image, masks, mixes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "kandinsky.hpp"
#include "unit/support.h"

namespace {

using kandinsky::DenoiseOptions;
using kandinsky::Embeds;
using kandinsky::Engine;
using kandinsky::Picture;
using kandinsky::PromptOptions;
using kandinsky::SourceOptions;
using kandinsky::StatusError;
using testing::HasSubstr;

const std::string kModels = KANDINSKY_TINY_MODELS_DIR;
constexpr int32_t kSide = 64;

PromptOptions prompts(const std::vector<std::string>& texts) {
  PromptOptions options;
  options.prompts = texts;
  for (size_t i = 0; i < texts.size(); ++i) options.seeds.push_back(i + 1);
  options.prior_num_inference_steps = 2;
  return options;
}

DenoiseOptions denoise(size_t batch_size) {
  DenoiseOptions options;
  options.width = options.height = kSide;
  options.num_inference_steps = 4;
  for (size_t i = 0; i < batch_size; ++i) options.seeds.push_back(i + 1);
  return options;
}

/// Colours that change from place to place.
Picture scene(int32_t width = kSide, int32_t height = kSide, int32_t channels = 3) {
  Picture picture{{}, width, height, channels};
  for (int32_t y = 0; y < height; ++y) {
    for (int32_t x = 0; x < width; ++x) {
      for (int32_t c = 0; c < channels; ++c)
        picture.pixels.push_back(static_cast<uint8_t>(3 * x + 2 * y * (c + 1) + 40 * c));
    }
  }
  return picture;
}

/// White from column `from` on.
Picture mask(int32_t from, int32_t width = kSide, int32_t height = kSide) {
  Picture picture{{}, width, height, 1};
  for (int32_t y = 0; y < height; ++y) {
    for (int32_t x = 0; x < width; ++x) picture.pixels.push_back(x < from ? 0 : 255);
  }
  return picture;
}

kandinsky_status status_of(const std::function<void()>& body, std::string* message = nullptr) {
  try {
    body();
  } catch (const StatusError& error) {
    if (message != nullptr) *message = error.what();
    return error.status();
  }
  return KANDINSKY_OK;
}

std::vector<float> image_embeds(const Embeds& embeds) {
  int64_t shape[3];
  const float* data = embeds.tensor("image_embeds", shape);
  return {data, data + shape[0] * shape[1]};
}

TEST(PictureTest, FilesComeBackAsTheyWere) {
  const kandinsky::test::TempFolder folder;
  const Picture picture = scene(5, 7);
  kandinsky::save_picture(folder.path("a.png"), picture.pixels.data(), 5, 7);
  const Picture again = Picture::load(folder.path("a.png"));
  EXPECT_EQ(again.width, 5);
  EXPECT_EQ(again.height, 7);
  EXPECT_EQ(again.channels, 3);
  EXPECT_EQ(again.pixels, picture.pixels);
}

TEST(PictureTest, BadFilesAreToldApart) {
  const kandinsky::test::TempFolder folder;
  std::string message;
  EXPECT_EQ(status_of([&] { Picture::load(folder.path("none.png")); }, &message),
            KANDINSKY_NOT_FOUND);
  EXPECT_THAT(message, HasSubstr("none.png"));
  folder.write("text.png", "this is no picture at all");
  const kandinsky_status status =
      status_of([&] { Picture::load(folder.path("text.png")); }, &message);
  EXPECT_TRUE(status == KANDINSKY_CORRUPT_FILE || status == KANDINSKY_UNSUPPORTED) << status;
  EXPECT_THAT(message, HasSubstr("text.png"));
  const Picture picture = scene(40, 40);
  kandinsky::save_picture(folder.path("whole.png"), picture.pixels.data(), 40, 40);
  const std::string whole = kandinsky::test::read_file(folder.path("whole.png"));
  folder.write("half.png", std::string_view(whole).substr(0, whole.size() / 2));
  EXPECT_EQ(status_of([&] { Picture::load(folder.path("half.png")); }), KANDINSKY_CORRUPT_FILE);
}

TEST(PictureTest, APlaceThatCannotBeWrittenIsToldBeforeTheWork) {
  const kandinsky::test::TempFolder folder;
  const auto check = [](const std::string& path) {
    return status_of([&] { kandinsky::check_writable(path); });
  };
  EXPECT_EQ(check(folder.path("new.png")), KANDINSKY_OK);
  EXPECT_EQ(check(folder.path(std::string(251, 'x') + ".png")), KANDINSKY_OK);
  EXPECT_EQ(check(folder.path(std::string(252, 'x') + ".png")), KANDINSKY_IO);
  EXPECT_EQ(check(folder.path("none/new.png")), KANDINSKY_NOT_FOUND);
  EXPECT_EQ(check(folder.path()), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_check_writable(nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(folder.num_files(), 0U);
}

TEST(PictureTest, MessagesAreOneLineThatATerminalDoesNotObey) {
  std::string message;
  status_of([&] { Picture::load("/no/\x1b[31mred\n円.png"); }, &message);
  EXPECT_THAT(message, HasSubstr("/no/\\x1b[31mred\\n円.png"));
  EXPECT_EQ(message.find_first_of("\x1b\n"), std::string::npos);
}

TEST(PictureTest, IsReadFromBytesAsFromAFile) {
  const kandinsky::test::TempFolder folder;
  const Picture picture = scene(40, 30);
  kandinsky::save_picture(folder.path("a.png"), picture.pixels.data(), 40, 30);
  const std::string file = kandinsky::test::read_file(folder.path("a.png"));
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  const Picture decoded = Picture::decode(bytes, "a pipe");
  EXPECT_EQ(decoded.pixels, picture.pixels);
  EXPECT_EQ(decoded.width, 40);
  EXPECT_EQ(decoded.height, 30);
  EXPECT_EQ(decoded.channels, 3);

  std::string message;
  const std::vector<uint8_t> half(bytes.begin(), bytes.begin() + 60);
  EXPECT_EQ(status_of([&] { Picture::decode(half, "a pipe"); }, &message), KANDINSKY_CORRUPT_FILE);
  EXPECT_THAT(message, HasSubstr("a pipe: "));
  EXPECT_EQ(status_of([&] { Picture::decode({}, "a pipe"); }, &message), KANDINSKY_CORRUPT_FILE);
  EXPECT_THAT(message, HasSubstr("a pipe: "));
}

TEST(PictureTest, DecodingRefusesHostileArguments) {
  const uint8_t byte = 0;
  kandinsky_picture* picture = nullptr;
  EXPECT_EQ(kandinsky_picture_decode(nullptr, 1, "a", &picture), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_picture_decode(&byte, 1, "a", nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_picture_decode(&byte, SIZE_MAX, "a", &picture), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_picture_decode(nullptr, 0, nullptr, &picture), KANDINSKY_CORRUPT_FILE);
  EXPECT_THAT(kandinsky_last_error(), HasSubstr("the image: "));
  EXPECT_EQ(picture, nullptr);
}

TEST(PictureTest, PixelsHaveToFitTheSides) {
  Picture picture = scene(4, 4);
  picture.height = 5;
  EXPECT_EQ(status_of([&] { picture.raw(); }), KANDINSKY_INVALID_ARGUMENT);
  picture.height = -4;
  EXPECT_EQ(status_of([&] { picture.raw(); }), KANDINSKY_INVALID_ARGUMENT);
}

class PicturesTest : public testing::Test {
 protected:
  std::vector<uint8_t> paint(const DenoiseOptions& options, const SourceOptions& source) {
    return engine_.image_to_image(prompts(std::vector<std::string>(options.seeds.size(), "a cat")),
                                  options, source);
  }
  Engine engine_{{.model_dir = kModels + "/tiny-2-1",
                  .inpaint_dir = kModels + "/tiny-2-1-inpaint",
                  .device = "cpu",
                  .precision = "fp32"}};
};

TEST_F(PicturesTest, StrengthZeroGivesThePictureBack) {
  DenoiseOptions options = denoise(1);
  options.strength = 0;
  SourceOptions source;
  source.pictures = {scene()};
  EXPECT_EQ(paint(options, source), scene().pixels);
  options.strength = 0.5;
  EXPECT_NE(paint(options, source), scene().pixels);
}

TEST_F(PicturesTest, PictureOfABatchIsThePictureAlone) {
  DenoiseOptions options = denoise(2);
  options.strength = 0.5;
  SourceOptions source;
  source.pictures = {scene(), scene(50, 80, 4)};
  const auto batch = paint(options, source);
  for (size_t i = 0; i < 2; ++i) {
    DenoiseOptions one = options;
    one.seeds = {i + 1};
    SourceOptions alone;
    alone.pictures = {source.pictures[i]};
    PromptOptions text = prompts({"a cat"});
    text.seeds = one.seeds;
    const auto picture = engine_.image_to_image(text, one, alone);
    EXPECT_TRUE(std::equal(picture.begin(), picture.end(),
                           batch.begin() + static_cast<std::ptrdiff_t>(i * picture.size())))
        << i;
  }
}

TEST_F(PicturesTest, OutsideTheMaskEveryPixelIsThePictures) {
  for (const char* method : {"model", "blend"}) {
    DenoiseOptions options = denoise(1);
    options.strength = 1;
    options.mask_method = method;
    SourceOptions source;
    source.pictures = {scene()};
    source.masks = {mask(kSide / 2)};
    source.mask_blur = 0;
    const auto painted = paint(options, source);
    const auto same_half = [&](size_t first) {
      for (size_t y = 0; y < kSide; ++y) {
        const size_t row = (y * kSide + first) * 3;
        if (!std::equal(painted.begin() + static_cast<std::ptrdiff_t>(row),
                        painted.begin() + static_cast<std::ptrdiff_t>(row + kSide / 2 * 3),
                        source.pictures[0].pixels.begin() + static_cast<std::ptrdiff_t>(row)))
          return false;
      }
      return true;
    };
    EXPECT_TRUE(same_half(0)) << method;
    EXPECT_FALSE(same_half(kSide / 2)) << method;
  }
}

TEST_F(PicturesTest, OddSourcesAreRefused) {
  const auto refused = [&](const std::function<void(DenoiseOptions&, SourceOptions&)>& spoil,
                           const char* word) {
    DenoiseOptions options = denoise(2);
    SourceOptions source;
    source.pictures = {scene()};
    source.masks = {mask(10)};
    spoil(options, source);
    std::string message;
    EXPECT_EQ(status_of([&] { paint(options, source); }, &message), KANDINSKY_INVALID_ARGUMENT)
        << word;
    EXPECT_THAT(message, HasSubstr(word));
  };
  refused([](DenoiseOptions&, SourceOptions& s) { s.pictures.clear(); }, "picture");
  refused([](DenoiseOptions&, SourceOptions& s) { s.pictures.resize(3, scene()); }, "picture");
  refused([](DenoiseOptions&, SourceOptions& s) { s.masks.resize(3, mask(1)); }, "mask");
  refused([](DenoiseOptions&, SourceOptions& s) { s.masks = {mask(1, 65, 64)}; }, "65 x 64");
  refused([](DenoiseOptions&, SourceOptions& s) { s.pictures[0] = scene(8, 8, 2); }, "channels");
  refused([](DenoiseOptions&, SourceOptions& s) { s.pictures[0] = Picture{{}, 0, 0, 3}; }, "1 x 1");
  refused([](DenoiseOptions& o, SourceOptions&) { o.init_latents.assign(2 * 4 * 8 * 8, 0.F); },
          "init latents");
}

TEST_F(PicturesTest, PicturesOfAnyShapeAreTaken) {
  DenoiseOptions options = denoise(1);
  options.num_inference_steps = 2;
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(1, 9000), std::pair(20000, 1)}) {
    SourceOptions source;
    source.pictures = {scene(width, height, 1)};
    for (const char* resize : {"stretch", "crop", "fill"}) {
      source.resize = resize;
      EXPECT_EQ(paint(options, source).size(), size_t{kSide} * kSide * 3) << width << resize;
    }
  }
}

TEST_F(PicturesTest, MissingNegativeEmbedsAreToldBeforePicturesAreEncoded) {
  const Embeds embeds = engine_.encode_images({scene()});
  SourceOptions source;
  source.pictures = {scene()};
  int calls = 0;
  engine_.set_progress([&](const kandinsky_progress&) {
    ++calls;
    return KANDINSKY_CONTINUE;
  });
  std::string message;
  EXPECT_EQ(status_of([&] { engine_.paint(embeds, Embeds(), denoise(1), &source); }, &message),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(message, HasSubstr("negative embeds"));
  EXPECT_EQ(calls, 0);
}

TEST_F(PicturesTest, EmbedsOfPicturesAreOneRowEach) {
  const Embeds both = engine_.encode_images({scene(), scene(30, 90, 4)});
  EXPECT_EQ(both.batch_size(), 2);
  const Embeds second = engine_.encode_images({scene(30, 90, 4)});
  EXPECT_EQ(image_embeds(both.select({1})), image_embeds(second));
  EXPECT_NE(image_embeds(both.select({0})), image_embeds(second));
  DenoiseOptions options = denoise(2);
  options.guidance_scale = 1;
  EXPECT_EQ(engine_.paint(both, Embeds(), options).size(), size_t{2} * kSide * kSide * 3);
}

TEST_F(PicturesTest, EmbedsAreJoinedChosenAndMixed) {
  const auto [a, negative] = engine_.encode_prompts(prompts({"a cat"}));
  const Embeds b = engine_.encode_images({scene()});
  const Embeds joined = Embeds::concat({&a, &b, &a});
  EXPECT_EQ(joined.batch_size(), 3);
  EXPECT_EQ(image_embeds(joined.select({2, 0})), image_embeds(Embeds::concat({&a, &a})));
  EXPECT_EQ(image_embeds(joined.select({1})), image_embeds(b));
  for (const std::vector<int32_t>& rows : {std::vector<int32_t>{3}, {-1}, {}})
    EXPECT_EQ(status_of([&] { joined.select(rows); }), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(status_of([&] { Embeds::concat({}); }), KANDINSKY_INVALID_ARGUMENT);

  const Embeds sum = Embeds::combine({&a, &b}, {0.5, 2.0});
  const Embeds slerp = Embeds::combine({&a, &b}, {0.5, 2.0}, nullptr, "slerp");
  EXPECT_NE(image_embeds(sum), image_embeds(slerp));
  for (size_t i = 0; i < image_embeds(a).size(); ++i)
    EXPECT_NEAR(image_embeds(sum)[i], 0.5F * image_embeds(a)[i] + 2 * image_embeds(b)[i], 1e-4);
  std::string message;
  EXPECT_EQ(status_of([&] { Embeds::combine({&a}, {1.0}, nullptr, "magic"); }, &message),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(message, HasSubstr("slerp"));
  for (const std::vector<double>& weights :
       {std::vector<double>{1, std::nan("")}, {1, 1e30}, {1}, {1, -HUGE_VAL}})
    EXPECT_EQ(status_of([&] { Embeds::combine({&a, &b}, weights); }), KANDINSKY_INVALID_ARGUMENT);
  for (const std::vector<double>& weights : {std::vector<double>{0, 0}, {1, -1}})
    EXPECT_EQ(status_of([&] {
                Embeds::combine({&a, &b}, weights, nullptr, "slerp");
              }),
              KANDINSKY_INVALID_ARGUMENT);
}

TEST_F(PicturesTest, NegativeEmbedsAloneAreThoseOfBoth) {
  PromptOptions options = prompts({"a cat"});
  options.negative_prompts = std::vector<std::string>{"blue"};
  for (const char* image : {"zero", "prior"}) {
    options.negative_image = image;
    const auto [embeds, negative] = engine_.encode_prompts(options);
    const Embeds alone = engine_.encode_negative_prompts(options);
    // The prior rounds otherwise where it samples the negative in a batch of its own.
    EXPECT_THAT(image_embeds(alone),
                testing::Pointwise(testing::FloatNear(1e-5F), image_embeds(negative)))
        << image;
  }
}

TEST_F(PicturesTest, InfoNamesTheInpaintingModel) {
  EXPECT_THAT(engine_.info().inpaint_dir, HasSubstr("tiny-2-1-inpaint"));
  EXPECT_STREQ(Engine({.model_dir = kModels + "/tiny-2-1", .inpaint_dir = ""}).info().inpaint_dir,
               "");
}

TEST_F(PicturesTest, CanBeCancelledAtEveryCallAndStaysUsable) {
  DenoiseOptions options = denoise(1);
  options.num_inference_steps = 3;
  options.strength = 1;
  SourceOptions source;
  source.pictures = {scene()};
  source.masks = {mask(20)};
  const auto expected = paint(options, source);
  int calls = 0;
  engine_.set_progress([&](const kandinsky_progress&) {
    ++calls;
    return KANDINSKY_CONTINUE;
  });
  paint(options, source);
  const int all = calls;
  ASSERT_GT(all, 8);
  for (int stop_at = 1; stop_at <= all; ++stop_at) {
    int call = 0;
    engine_.set_progress([&](const kandinsky_progress&) {
      return ++call == stop_at ? KANDINSKY_CANCEL : KANDINSKY_CONTINUE;
    });
    EXPECT_EQ(status_of([&] { paint(options, source); }), KANDINSKY_CANCELLED) << stop_at;
    EXPECT_EQ(call, stop_at);
  }
  engine_.set_progress(nullptr);
  EXPECT_EQ(paint(options, source), expected);
}

}  // namespace
