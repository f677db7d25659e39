/// Images and embeds of every kind through the C++ layer: files, image to image, masks, mixes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/jobs.h"
#include "unit/support.h"

namespace kandinsky::test {
namespace {

using testing::HasSubstr;

std::vector<float> image_embeds(const Embeds& embeds) {
  int64_t shape[3];
  const float* data = embeds.tensor("image_embeds", shape);
  return {data, data + shape[0] * shape[1]};
}

TEST(ImageTest, FilesComeBackAsTheyWere) {
  const TempFolder folder;
  const Image image = scene(5, 7);
  save_image(folder.path("a.png"), image.pixels.data(), 5, 7);
  const Image again = Image::load(folder.path("a.png"));
  EXPECT_EQ(again.width, 5);
  EXPECT_EQ(again.height, 7);
  EXPECT_EQ(again.channels, 3);
  EXPECT_EQ(again.pixels, image.pixels);
}

TEST(ImageTest, AFileInMemoryIsTheOneOnTheDisk) {
  const TempFolder folder;
  const Image image = scene(5, 7);
  for (const std::string format : {"png", "jpeg", "webp"}) {
    const std::string path = folder.path("a." + format);
    save_image(path, image.pixels.data(), 5, 7);
    const std::vector<uint8_t> bytes = encode_image(format, image.pixels.data(), 5, 7);
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), read_file(path)) << format;
  }
  const std::vector<uint8_t> with_text = encode_image("png", image.pixels.data(), 5, 7, "a cat");
  EXPECT_THAT(std::string(with_text.begin(), with_text.end()), HasSubstr("a cat"));
  EXPECT_EQ(status_of([&] { encode_image("gif", image.pixels.data(), 5, 7); }),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(status_of([&] { encode_image("png", nullptr, 5, 7); }), KANDINSKY_INVALID_ARGUMENT);
}

TEST(ImageTest, BadFilesAreToldApart) {
  const TempFolder folder;
  std::string message;
  EXPECT_EQ(status_of([&] { Image::load(folder.path("none.png")); }, &message),
            KANDINSKY_NOT_FOUND);
  EXPECT_THAT(message, HasSubstr("none.png"));
  folder.write("text.png", "this is no image at all");
  const kandinsky_status status =
      status_of([&] { Image::load(folder.path("text.png")); }, &message);
  EXPECT_TRUE(status == KANDINSKY_CORRUPT_FILE || status == KANDINSKY_UNSUPPORTED) << status;
  EXPECT_THAT(message, HasSubstr("text.png"));
  const Image image = scene(40, 40);
  save_image(folder.path("whole.png"), image.pixels.data(), 40, 40);
  const std::string whole = read_file(folder.path("whole.png"));
  folder.write("half.png", std::string_view(whole).substr(0, whole.size() / 2));
  EXPECT_EQ(status_of([&] { Image::load(folder.path("half.png")); }), KANDINSKY_CORRUPT_FILE);
}

TEST(ImageTest, APlaceThatCannotBeWrittenIsToldBeforeTheWork) {
  const TempFolder folder;
  const auto check = [](const std::string& path) {
    return status_of([&] { check_writable(path); });
  };
  EXPECT_EQ(check(folder.path("new.png")), KANDINSKY_OK);
  EXPECT_EQ(check(folder.path(std::string(251, 'x') + ".png")), KANDINSKY_OK);
  EXPECT_EQ(check(folder.path(std::string(252, 'x') + ".png")), KANDINSKY_IO);
  EXPECT_EQ(check(folder.path("none/new.png")), KANDINSKY_NOT_FOUND);
  EXPECT_EQ(check(folder.path()), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_check_writable(nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(folder.num_files(), 0U);
}

TEST(ImageTest, MessagesAreOneLineThatATerminalDoesNotObey) {
  std::string message;
  status_of([&] { Image::load("/no/\x1b[31mred\n円.png"); }, &message);
  EXPECT_THAT(message, HasSubstr("/no/\\x1b[31mred\\n円.png"));
  EXPECT_EQ(message.find_first_of("\x1b\n"), std::string::npos);
}

TEST(ImageTest, IsReadFromBytesAsFromAFile) {
  const TempFolder folder;
  const Image image = scene(40, 30);
  save_image(folder.path("a.png"), image.pixels.data(), 40, 30);
  const std::string file = read_file(folder.path("a.png"));
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  const Image decoded = Image::decode(bytes, "a pipe");
  EXPECT_EQ(decoded.pixels, image.pixels);
  EXPECT_EQ(decoded.width, 40);
  EXPECT_EQ(decoded.height, 30);
  EXPECT_EQ(decoded.channels, 3);

  std::string message;
  const std::vector<uint8_t> half(bytes.begin(), bytes.begin() + 60);
  EXPECT_EQ(status_of([&] { Image::decode(half, "a pipe"); }, &message), KANDINSKY_CORRUPT_FILE);
  EXPECT_THAT(message, HasSubstr("a pipe: "));
  EXPECT_EQ(status_of([&] { Image::decode({}, "a pipe"); }, &message), KANDINSKY_CORRUPT_FILE);
  EXPECT_THAT(message, HasSubstr("a pipe: "));
}

TEST(ImageTest, DecodingRefusesHostileArguments) {
  const uint8_t byte = 0;
  kandinsky_image* image = nullptr;
  EXPECT_EQ(kandinsky_image_decode(nullptr, 1, "a", &image), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_image_decode(&byte, 1, "a", nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_image_decode(&byte, SIZE_MAX, "a", &image), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_image_decode(nullptr, 0, nullptr, &image), KANDINSKY_CORRUPT_FILE);
  EXPECT_THAT(kandinsky_last_error(), HasSubstr("the image: "));
  EXPECT_EQ(image, nullptr);
}

TEST(ImageTest, PixelsHaveToFitTheSides) {
  Image image = scene(4, 4);
  image.height = 5;
  EXPECT_EQ(status_of([&] { image.raw(); }), KANDINSKY_INVALID_ARGUMENT);
  image.height = -4;
  EXPECT_EQ(status_of([&] { image.raw(); }), KANDINSKY_INVALID_ARGUMENT);
}

class ImagesTest : public testing::Test {
 protected:
  /// Options of image to image with half of the schedule's steps.
  static Options from(const std::vector<Image>& images, const Texts& texts = {"a cat"},
                      uint64_t seed = 1) {
    Options options = job("image_to_image", texts, seed);
    options.set("images", images).set("num_inference_steps", 4).set("strength", 0.5);
    return options;
  }
  Engine engine_{model_options().set("inpaint_dir", kModels + "/tiny-2-1-inpaint")};
};

TEST_F(ImagesTest, StrengthZeroGivesTheImageBack) {
  Options options = from({scene()});
  EXPECT_NE(image_to_image(engine_, options), scene().pixels);
  EXPECT_EQ(image_to_image(engine_, options.set("strength", 0)), scene().pixels);
}

TEST_F(ImagesTest, ImageOfABatchIsTheImageAlone) {
  const std::vector<Image> sources{scene(), scene(50, 80, 4)};
  const Pixels batch = image_to_image(engine_, from(sources, {"a cat", "a cat"}), 2 * kPixels);
  for (size_t i = 0; i < 2; ++i) {
    const Pixels alone = image_to_image(engine_, from({sources[i]}, {"a cat"}, i + 1));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                           batch.begin() + static_cast<std::ptrdiff_t>(i * kPixels)))
        << i;
  }
}

TEST_F(ImagesTest, OutsideTheMaskEveryPixelIsTheImages) {
  const Pixels source = scene().pixels;
  Options options = from({scene()});
  options.set("masks", std::vector{mask(kSide / 2)}).set("mask_blur", 0).set("strength", 1);
  for (const char* method : {"model", "blend"}) {
    const Pixels result = image_to_image(engine_, options.set("mask_method", method));
    const auto same_half = [&](size_t first) {
      for (size_t y = 0; y < kSide; ++y) {
        const auto row = static_cast<std::ptrdiff_t>((y * kSide + first) * 3);
        if (!std::equal(result.begin() + row, result.begin() + row + kSide / 2 * 3,
                        source.begin() + row))
          return false;
      }
      return true;
    };
    EXPECT_TRUE(same_half(0)) << method;
    EXPECT_FALSE(same_half(kSide / 2)) << method;
  }
}

TEST_F(ImagesTest, OddSourcesAreRefused) {
  const auto refused = [&](const std::vector<Image>& images, const std::vector<Image>& masks,
                           const char* word) {
    std::string message;
    EXPECT_EQ(status_of(
                  [&] {
                    Options options = from(images, {"a cat", "a cat"});
                    image_to_image(engine_, options.set("masks", masks), 2 * kPixels);
                  },
                  &message),
              KANDINSKY_INVALID_ARGUMENT)
        << word;
    EXPECT_THAT(message, HasSubstr(word));
  };
  refused({}, {mask(10)}, "images");
  refused({3, scene()}, {mask(10)}, "images");
  refused({scene()}, {3, mask(1)}, "masks");
  refused({scene()}, {mask(1, 65, 64)}, "65 x 64");
  refused({scene(8, 8, 2)}, {}, "channels");
  refused({Image{{}, 0, 0, 3}}, {}, "1 x 1");
}

TEST_F(ImagesTest, ImagesOfAnyShapeAreTaken) {
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(1, 9000), std::pair(20000, 1)}) {
    Options options = from({scene(width, height, 1)});
    for (const char* resize : {"stretch", "crop", "fill"}) {
      EXPECT_NO_THROW(image_to_image(engine_, options.set("resize", resize))) << width << resize;
    }
  }
}

TEST_F(ImagesTest, AMessagesExceptionLeavesTheCheckThatSaidIt) {
  Options options = from({scene()});
  options.set("masks", std::vector{mask(kSide)});
  engine_.set_message([](const char*) { throw std::domain_error("mine"); });
  EXPECT_THROW(engine_.check_options(options), std::domain_error);
  engine_.set_message(nullptr);
  EXPECT_EQ(image_to_image(engine_, options), scene().pixels);
}

TEST_F(ImagesTest, MissingNegativeEmbedsAreToldBeforeImagesAreEncoded) {
  const Embeds embeds = engine_.encode_images({scene()});
  Options options = job("generate");
  options.set("images", std::vector{scene()});
  int calls = 0;
  engine_.set_progress([&](const kandinsky_progress&) {
    ++calls;
    return KANDINSKY_CONTINUE;
  });
  std::string message;
  EXPECT_EQ(status_of([&] { generate(engine_, embeds, Embeds(), options); }, &message),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(message, HasSubstr("negative embeds"));
  EXPECT_EQ(calls, 0);
}

TEST_F(ImagesTest, EmbedsOfImagesAreOneRowEach) {
  const Embeds both = engine_.encode_images({scene(), scene(30, 90, 4)});
  EXPECT_EQ(both.batch_size(), 2);
  const Embeds second = engine_.encode_images({scene(30, 90, 4)});
  EXPECT_EQ(image_embeds(both.select({1})), image_embeds(second));
  EXPECT_NE(image_embeds(both.select({0})), image_embeds(second));
  Options options = job("generate", {"", ""});
  EXPECT_NO_THROW(generate(engine_, both, Embeds(), options.set("guidance_scale", 1), 2 * kPixels));
}

TEST_F(ImagesTest, EmbedsAreJoinedChosenAndMixed) {
  const auto [a, negative] = engine_.encode_prompts(job("encode_prompts"));
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

TEST_F(ImagesTest, NegativeEmbedsAloneAreThoseOfBoth) {
  Options options = job("encode_prompts");
  options.set("negative_prompts", Texts{"blue"});
  for (const char* image : {"zero", "prior"}) {
    const auto [embeds, negative] = engine_.encode_prompts(options.set("negative_image", image));
    const Embeds alone = engine_.encode_negative_prompts(options);
    // The prior rounds otherwise where it samples the negative in a batch of its own.
    EXPECT_THAT(image_embeds(alone),
                testing::Pointwise(testing::FloatNear(1e-5F), image_embeds(negative)))
        << image;
  }
}

TEST_F(ImagesTest, InfoNamesTheInpaintingModel) {
  EXPECT_THAT(engine_.info().inpaint_dir, HasSubstr("tiny-2-1-inpaint"));
  EXPECT_STREQ(Engine(model_options().set("inpaint_dir", "")).info().inpaint_dir, "");
}

TEST_F(ImagesTest, CanBeCancelledAtEveryCallAndStaysUsable) {
  Options options = from({scene()});
  options.set("masks", std::vector{mask(20)}).set("strength", 1);
  const Pixels expected = image_to_image(engine_, options);
  cancel_at_every_call(engine_, [&] { image_to_image(engine_, options); });
  EXPECT_EQ(image_to_image(engine_, options), expected);
}

}  // namespace
}  // namespace kandinsky::test
