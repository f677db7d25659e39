#include "pipelines/images/source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "engine/generate.h"
#include "tensor/noise.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

using Bytes = std::vector<uint8_t>;

/// Latents are the means of 8 x 8 pixels and a fourth channel of ones; images are latents made
/// large. Denoising puts the number of the image, from 1 on, tenths, where it may.
class FakePipeline : public Pipeline {
 public:
  const Geometry& geometry() const override { return geometry_; }
  std::string_view prior_path() const override { return {}; }
  std::string_view inpaint_path() const override { return {}; }
  const char* own_sampler() const override { return "DDIM"; }
  bool takes_hints() const override { return false; }
  EncodedPrompts encode_prompts(const PromptRequest&, const Monitor&) override { return {}; }
  Embeds encode_images(const std::vector<io::Image>&, const Monitor&) override { return {}; }

  void check(const Job& job) const override {
    const DenoiseRequest& request = *job.denoise;
    if (request.mask.defined() && request.mask_method == MaskMethod::kModel)
      throw Error(ErrorCode::kInvalidArgument, "there is no inpainting model");
    const auto batch_size = static_cast<int64_t>(request.seeds.size());
    const auto [height, width] = geometry_.latent_size(request.width, request.height);
    if (request.init_latents.defined()) {
      EXPECT_EQ(request.init_latents.sizes(), at::IntArrayRef({batch_size, 4, height, width}));
    }
    if (request.mask.defined()) {
      EXPECT_EQ(request.mask.sizes(), at::IntArrayRef({batch_size, 1, height, width}));
    }
  }

  at::Tensor denoise(const Embeds&, const Embeds*, const DenoiseRequest& request,
                     const Monitor& monitor) override {
    monitor.check_cancelled();
    denoised = request;
    const at::Tensor numbers =
        at::arange(1, static_cast<int64_t>(request.seeds.size()) + 1).view({-1, 1, 1, 1}) * 0.1;
    const at::Tensor generated = numbers.to(at::kFloat).expand_as(request.init_latents);
    if (!request.mask.defined()) return generated;
    return at::where(request.mask.to(at::kBool), generated, request.init_latents);
  }

  at::Tensor decode(const at::Tensor& latents, bool, const Monitor&) override {
    if (fails_to_decode) throw Error(ErrorCode::kOutOfMemory, "no memory for the images");
    return at::upsample_nearest2d(latents.slice(1, 0, 3),
                                  {latents.size(2) * 8, latents.size(3) * 8});
  }

  at::Tensor encode(const at::Tensor& pixels, bool, const Monitor&) override {
    encoded.push_back(pixels);
    const at::Tensor means = at::avg_pool2d(pixels, {8, 8});
    return at::cat({means, at::ones_like(means.slice(1, 0, 1))}, 1);
  }

  void plan_memory(const Job&, int64_t, const Monitor&) override {}
  MemorySummary describe_memory(const Job&, int64_t) const override { return {}; }
  void unload() override {}

  std::vector<at::Tensor> encoded;         ///< what each call was given
  std::optional<DenoiseRequest> denoised;  ///< by the last call
  bool fails_to_decode = false;

 private:
  Geometry geometry_{
      .native_size = 64, .latent_channels = 4, .latent_factor = 8, .size_multiple = 64};
};

io::Image flat(int width, int height, const Bytes& colour) {
  io::Image image{width, height, static_cast<int>(colour.size()), {}};
  for (int i = 0; i < width * height; ++i) {
    for (const uint8_t value : colour) image.pixels.push_back(value);
  }
  return image;
}

/// Every pixel is another one.
io::Image gradient(int width, int height) {
  io::Image image{width, height, 3, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (const int value : {x, y, 255 - x}) image.pixels.push_back(static_cast<uint8_t>(value));
    }
  }
  return image;
}

/// Black with a white rectangle.
io::Image mask_of(int width, int height, int left, int top, int right, int bottom) {
  io::Image image = flat(width, height, {0});
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) image.pixels[static_cast<size_t>(y * width + x)] = 255;
  }
  return image;
}

class SourceTest : public ::testing::Test {
 protected:
  SourceTest() {
    request_.width = 64;
    request_.height = 64;
    request_.seeds = {7};
    source_.images = {gradient(64, 64)};
    source_.mask_blur = 0;
  }

  Source prepare() {
    const DenoiseRequest whole = with_stand_ins(pipeline_.geometry(), source_, request_);
    pipeline_.check(job_of(whole));
    return prepare_source(pipeline_.geometry(), source_, whole, monitor_);
  }

  DenoiseRequest started() {
    DenoiseRequest started = request_;
    start_from(pipeline_, prepare(), &started, monitor_);
    return started;
  }

  /// The result, [B, height, width, 3].
  Bytes generated() {
    Bytes images(request_.seeds.size() * image_size(), 0xEE);
    const Embeds embeds;
    engine::generate_from(pipeline_, prepare(), embeds, &embeds, request_, monitor_, images.data());
    return images;
  }

  size_t image_size() const { return static_cast<size_t>(request_.width * request_.height * 3); }

  /// What the fake generates for the image of that number.
  static int generated_value(size_t index) {
    return static_cast<int>(std::lround((0.1 * static_cast<double>(index + 1) * 0.5 + 0.5) * 255));
  }

  void expect_refused(std::string_view part) {
    test::expect_error(ErrorCode::kInvalidArgument, part, [&] { (void)prepare(); });
  }

  FakePipeline pipeline_;
  SourceRequest source_;
  DenoiseRequest request_;
  CancelFlag cancel_;
  std::vector<std::string> messages_;
  Monitor monitor_{cancel_, {}, [this](const std::string& text) { messages_.push_back(text); }};
};

TEST_F(SourceTest, EachDistinctImageIsEncodedOnce) {
  request_.seeds = {1, 2, 3, 4};
  const DenoiseRequest one_for_all = started();
  ASSERT_EQ(pipeline_.encoded.size(), 1U);
  EXPECT_EQ(pipeline_.encoded[0].size(0), 1);
  EXPECT_EQ(one_for_all.init_latents.size(0), 4);
  EXPECT_FALSE(one_for_all.mask.defined());
  for (int64_t i = 1; i < 4; ++i)
    EXPECT_TRUE(at::equal(one_for_all.init_latents[0], one_for_all.init_latents[i]));

  const io::Image red = flat(64, 64, {255, 0, 0});
  source_.images = {red, gradient(64, 64), red, red};
  const DenoiseRequest own = started();
  ASSERT_EQ(pipeline_.encoded.size(), 2U);
  EXPECT_EQ(pipeline_.encoded[1].size(0), 2);
  EXPECT_TRUE(at::equal(own.init_latents[1], one_for_all.init_latents[0]));
  for (const int64_t i : {0, 2, 3}) {
    EXPECT_TRUE(at::equal(own.init_latents[i][0], at::ones({8, 8}))) << i;
    EXPECT_TRUE(at::equal(own.init_latents[i][1], -at::ones({8, 8}))) << i;
  }
}

TEST_F(SourceTest, MasksOfOneImageAreEncodedOnceUnlessFilled) {
  request_.seeds = {1, 2, 3};
  const io::Image left = mask_of(64, 64, 8, 8, 24, 24);
  source_.masks = {left, mask_of(64, 64, 40, 8, 56, 24), left};
  const DenoiseRequest plain = started();
  EXPECT_EQ(pipeline_.encoded[0].size(0), 1);
  EXPECT_EQ(plain.mask.sizes(), at::IntArrayRef({3, 1, 8, 8}));
  EXPECT_TRUE(at::equal(plain.mask[0], plain.mask[2]));
  EXPECT_FALSE(at::equal(plain.mask[0], plain.mask[1]));
  source_.mask_fill = MaskFill::kFill;
  (void)started();
  EXPECT_EQ(pipeline_.encoded[1].size(0), 2);
}

TEST_F(SourceTest, LatentMasksAreThoseOfTheReference) {
  source_.masks = {mask_of(64, 64, 24, 16, 32, 24)};
  const at::Tensor widened = started().mask;
  at::Tensor expected = at::zeros({1, 1, 8, 8});
  for (const auto& [y, x] :
       std::vector<std::pair<int, int>>{{1, 2}, {1, 3}, {2, 2}, {2, 3}, {2, 4}, {3, 3}, {3, 4}}) {
    expected[0][0][y][x] = 1.0;
  }
  EXPECT_TRUE(at::equal(widened, expected)) << widened;
  source_.erode_mask = false;
  expected.zero_();
  expected[0][0][2][3] = 1.0;
  EXPECT_TRUE(at::equal(started().mask, expected));
  source_.invert_mask = true;
  EXPECT_TRUE(at::equal(started().mask, 1.0 - expected));
}

TEST_F(SourceTest, AnySizeIsFilledUpByItsBorder) {
  request_.width = 70;
  request_.height = 50;
  source_.images = {gradient(70, 50)};
  source_.masks = {mask_of(70, 50, 60, 0, 70, 50)};
  const DenoiseRequest start = started();
  EXPECT_EQ(start.init_latents.sizes(), at::IntArrayRef({1, 4, 8, 16}));
  const at::Tensor pixels = pipeline_.encoded[0];
  ASSERT_EQ(pixels.sizes(), at::IntArrayRef({1, 3, 64, 128}));
  const at::Tensor last_column = pixels.slice(3, 69, 70);
  EXPECT_TRUE(at::equal(pixels.slice(3, 69), last_column.expand({1, 3, 64, 59})));
  const at::Tensor last_row = pixels.slice(2, 49, 50);
  EXPECT_TRUE(at::equal(pixels.slice(2, 49), last_row.expand({1, 3, 15, 128})));
  // The mask's white border goes on too.
  EXPECT_TRUE(at::equal(start.mask.slice(3, 8), at::ones({1, 1, 8, 8})));
  EXPECT_EQ(start.mask.slice(3, 0, 6).sum().item<double>(), 0.0);

  const Bytes result = generated();
  for (size_t i = 0; i < result.size(); ++i) {
    const bool inside = i / 3 % 70 >= 60;
    ASSERT_EQ(result[i], inside ? generated_value(0) : source_.images[0].pixels[i]) << i;
  }
}

TEST_F(SourceTest, WithoutStrengthTheImageComesBackAndNothingRuns) {
  request_.strength = 0.0;
  pipeline_.fails_to_decode = true;
  EXPECT_EQ(generated(), source_.images[0].pixels);
  EXPECT_TRUE(messages_.empty());
  request_.strength = 0.01;
  EXPECT_EQ(generated(), source_.images[0].pixels);
  ASSERT_EQ(messages_.size(), 1U);
  EXPECT_EQ(messages_[0], "a strength of 0.01 leaves none of 50 steps: the images come back");
  // As grey and with alpha, of another size.
  request_.seeds = {1, 2};
  source_.images = {flat(10, 300, {9}), flat(1, 1, {0, 0, 0, 0})};
  const Bytes resized = generated();
  for (size_t i = 0; i < resized.size(); ++i) EXPECT_EQ(resized[i], i < image_size() ? 9 : 255);
  EXPECT_TRUE(pipeline_.encoded.empty());
  EXPECT_FALSE(pipeline_.denoised.has_value());
}

TEST_F(SourceTest, WithoutAMaskEverythingIsGenerated) {
  request_.seeds = {1, 2};
  const Bytes result = generated();
  for (size_t i = 0; i < result.size(); ++i)
    ASSERT_EQ(result[i], generated_value(i / image_size())) << i;
}

TEST_F(SourceTest, OutsideTheMaskEveryBitIsTheImages) {
  source_.masks = {mask_of(64, 64, 20, 20, 41, 37)};
  for (const int blur : {0, 2, 4}) {
    source_.mask_blur = blur;
    const int reach = static_cast<int>(2.5 * blur + 0.5);
    const Bytes result = generated();
    const Bytes& image = source_.images[0].pixels;
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 64; ++x) {
        const bool inside = x >= 20 && x < 41 && y >= 20 && y < 37;
        const bool outside = x < 20 - reach || x >= 41 + reach || y < 20 - reach || y >= 37 + reach;
        for (int c = 0; c < 3; ++c) {
          const auto i = static_cast<size_t>((y * 64 + x) * 3 + c);
          const int value = result[i];
          if (inside) {
            ASSERT_EQ(value, generated_value(0)) << blur << " " << x << " " << y;
          } else if (outside) {
            ASSERT_EQ(value, image[i]) << blur << " " << x << " " << y;
          } else {
            ASSERT_GE(value, std::min<int>(image[i], generated_value(0)));
            ASSERT_LE(value, std::max<int>(image[i], generated_value(0)));
          }
        }
      }
    }
  }
}

TEST_F(SourceTest, WithoutCompositeTheResultIsAsGenerated) {
  source_.masks = {mask_of(64, 64, 20, 20, 41, 37)};
  source_.composite = false;
  const Bytes result = generated();
  // The fake's kept latents are means of cells.
  const auto at = [&](int x, int y) { return result[static_cast<size_t>((y * 64 + x) * 3)]; };
  EXPECT_EQ(at(30, 30), generated_value(0));
  EXPECT_EQ(at(17, 17), generated_value(0));
  EXPECT_EQ(at(56, 8), at(63, 15));
  EXPECT_NE(at(56, 8), source_.images[0].pixels[static_cast<size_t>((8 * 64 + 56) * 3)]);
}

TEST_F(SourceTest, ABlackMaskGivesTheImageBackAndSaysSo) {
  source_.masks = {flat(64, 64, {0})};
  pipeline_.fails_to_decode = true;
  EXPECT_EQ(generated(), source_.images[0].pixels);
  ASSERT_EQ(messages_.size(), 1U);
  EXPECT_EQ(messages_[0], "image 1: its mask is black, nothing is inpainted");
  source_.masks = {flat(64, 64, {255})};
  source_.invert_mask = true;
  EXPECT_EQ(generated(), source_.images[0].pixels);
  EXPECT_TRUE(pipeline_.encoded.empty());
}

TEST_F(SourceTest, AWhiteMaskLeavesNothing) {
  source_.masks = {flat(64, 64, {255})};
  for (const int blur : {0, 64}) {
    source_.mask_blur = blur;
    EXPECT_EQ(generated(), Bytes(image_size(), static_cast<uint8_t>(generated_value(0))));
  }
}

TEST_F(SourceTest, OneBlackMaskInABatchKeepsItsImageOnly) {
  request_.seeds = {1, 2, 3};
  source_.masks = {flat(64, 64, {255}), flat(64, 64, {0}), flat(64, 64, {255})};
  source_.composite = false;
  const Bytes result = generated();
  for (size_t i = 0; i < result.size(); ++i) {
    const size_t index = i / image_size();
    ASSERT_EQ(result[i],
              index == 1 ? source_.images[0].pixels[i % image_size()] : generated_value(index))
        << i;
  }
  EXPECT_EQ(messages_,
            std::vector<std::string>({"image 2: its mask is black, nothing is inpainted"}));
}

TEST_F(SourceTest, FillForgetsWhatTheMaskHid) {
  source_.images = {flat(64, 64, {30, 60, 90})};
  source_.masks = {mask_of(64, 64, 16, 16, 48, 48)};
  io::Image spotted = source_.images[0];
  for (size_t i = 0; i < source_.masks[0].pixels.size(); ++i) {
    if (source_.masks[0].pixels[i] != 0) spotted.pixels[i * 3] = 255;
  }
  const at::Tensor clean = started().init_latents;
  source_.images = {spotted};
  EXPECT_FALSE(at::allclose(started().init_latents, clean));
  source_.mask_fill = MaskFill::kFill;
  EXPECT_TRUE(at::allclose(started().init_latents, clean));
  // The image itself still comes back outside.
  EXPECT_EQ(generated()[0], 30);
}

TEST_F(SourceTest, LatentNoiseComesFromTheSeedsByItsOwnStream) {
  request_.seeds = {5, 6};
  source_.masks = {mask_of(64, 64, 0, 0, 32, 64)};
  source_.erode_mask = false;
  const at::Tensor original = started().init_latents;
  source_.mask_fill = MaskFill::kLatentNoise;
  const at::Tensor start = started().init_latents;
  EXPECT_TRUE(at::equal(start.slice(3, 4), original.slice(3, 4)));
  const at::Tensor noise = start.slice(3, 0, 4);
  EXPECT_NEAR(noise.mean().item<double>(), 0.0, 0.25);
  EXPECT_NEAR(noise.std().item<double>(), 1.0, 0.25);
  EXPECT_TRUE(at::equal(start, started().init_latents));
  const at::Tensor sampler_noise =
      tensor::NoiseSource(request_.seeds).draw_all({4, 8, 8}).slice(3, 0, 4);
  EXPECT_LT((noise * sampler_noise).mean().abs().item<double>(), 0.3);
  // An image does not depend on its neighbours.
  request_.seeds = {6};
  EXPECT_TRUE(at::equal(started().init_latents[0], start[1]));
}

TEST_F(SourceTest, LatentNothingIsZero) {
  source_.masks = {mask_of(64, 64, 0, 0, 32, 64)};
  source_.erode_mask = false;
  const at::Tensor original = started().init_latents;
  source_.mask_fill = MaskFill::kLatentNothing;
  const at::Tensor start = started().init_latents;
  EXPECT_TRUE(at::equal(start.slice(3, 0, 4), at::zeros({1, 4, 8, 4})));
  EXPECT_TRUE(at::equal(start.slice(3, 4), original.slice(3, 4)));
}

TEST_F(SourceTest, ImageAndMaskGoTheSameWay) {
  // A white square on black, and a mask that is white just there.
  const io::Image mask = mask_of(300, 200, 150, 90, 180, 120);
  source_.images = {mask};
  source_.masks = {mask};
  request_.width = 128;
  request_.height = 64;
  for (const ResizeMode mode : {ResizeMode::kStretch, ResizeMode::kCrop, ResizeMode::kFill}) {
    source_.resize = mode;
    const Source prepared = prepare();
    size_t white = 0;
    for (size_t i = 0; i < prepared.soft_masks[0].pixels.size(); ++i) {
      const bool in_mask = prepared.soft_masks[0].pixels[i] == 255;
      white += in_mask ? 1 : 0;
      ASSERT_EQ(prepared.images[0].pixels[i * 3] >= 128, in_mask) << static_cast<int>(mode);
    }
    EXPECT_GT(white, 50U);
  }
}

TEST_F(SourceTest, RefusesWhatDoesNotFit) {
  source_.images = {};
  expect_refused("0 images for 1");
  source_.images = {gradient(64, 64), gradient(64, 64)};
  expect_refused("2 images for 1");
  request_.seeds = {1, 2, 3};
  expect_refused("2 images for 3");
  source_.images = {gradient(64, 64)};
  source_.masks = {flat(64, 64, {255}), flat(64, 64, {255})};
  expect_refused("2 masks for 3");
  source_.masks = {flat(64, 32, {255})};
  expect_refused("a mask of 64 x 32 pixels does not fit its image of 64 x 64");
  source_.masks = {flat(64, 64, {255}), flat(64, 64, {255}), flat(63, 64, {255})};
  expect_refused("a mask of 63 x 64 pixels does not fit its image of 64 x 64");
  source_.images = {gradient(64, 64), gradient(64, 64), gradient(8, 8)};
  source_.masks = {flat(64, 64, {255})};
  expect_refused("a mask of 64 x 64 pixels does not fit its image of 8 x 8");
}

TEST_F(SourceTest, RefusesBeforeAnythingIsEncoded) {
  source_.masks = {flat(64, 64, {255})};
  request_.mask_method = MaskMethod::kModel;
  expect_refused("no inpainting model");
  request_.mask_method = MaskMethod::kAuto;
  request_.width = 0;
  expect_refused("width is 0 pixels");
  request_.width = 64;
  request_.init_latents = at::zeros({1, 4, 8, 8});
  expect_refused("do not give them");
  request_.init_latents = at::Tensor();
  request_.mask = at::zeros({1, 1, 8, 8});
  expect_refused("do not give them");
  request_.mask = at::Tensor();
  request_.seeds = {};
  expect_refused("batch size is 0");
  EXPECT_TRUE(pipeline_.encoded.empty());
}

TEST_F(SourceTest, AFailureLeavesTheCallersImagesAlone) {
  const Source prepared = prepare();
  const Embeds embeds;
  Bytes images(image_size(), 0xEE);
  const Bytes untouched = images;
  pipeline_.fails_to_decode = true;
  test::expect_error(ErrorCode::kOutOfMemory, "no memory", [&] {
    engine::generate_from(pipeline_, prepared, embeds, &embeds, request_, monitor_, images.data());
  });
  EXPECT_EQ(images, untouched);
  cancel_.request();
  test::expect_error(ErrorCode::kCancelled, "", [&] {
    engine::generate_from(pipeline_, prepared, embeds, &embeds, request_, monitor_, images.data());
  });
  test::expect_error(ErrorCode::kCancelled, "", [&] { (void)prepare(); });
  EXPECT_EQ(images, untouched);
}

}  // namespace
}  // namespace kandinsky::pipelines
