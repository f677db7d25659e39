/// Starting from an image, in whole or inside of a mask.
#include "unit/pipelines/tiny_pipeline.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

class ImageToImageTest : public TinyPipelineTest {
 protected:
  at::Tensor run(const DenoiseRequest& request) {
    return denoise(request, rows_of(embeds_, 0, 1), rows_of(negative_embeds_, 0, 1));
  }

  static DenoiseRequest image_request(double strength) {
    DenoiseRequest request = TinyPipelineTest::request();
    request.init_latents = init_latents();
    request.strength = strength;
    return request;
  }

  static DenoiseRequest mask_request(MaskMethod method, const at::Tensor& mask) {
    DenoiseRequest request = image_request(0.75);
    request.mask = mask;
    request.mask_method = method;
    return request;
  }
};

TEST_F(ImageToImageTest, WithoutStepsTheImageComesBack) {
  for (const double strength : {0.0, 0.1, 0.2499}) {
    const DenoiseRequest request = image_request(strength);
    EXPECT_EQ(request.num_running_steps(), 0);
    EXPECT_TRUE(run(request).equal(request.init_latents)) << strength;
  }
}

TEST_F(ImageToImageTest, FullStrengthIsFreeOfTheImage) {
  EXPECT_TRUE(run(image_request(1.0)).equal(run(request())));
}

TEST_F(ImageToImageTest, StrengthIsTruncatedToWholeStepsAsInTheReference) {
  DenoiseRequest request = image_request(0.29);
  request.num_inference_steps = 100;
  EXPECT_EQ(request.num_running_steps(), 28);
  request.strength = 0.57;
  EXPECT_EQ(request.num_running_steps(), 56);
  request.init_latents = at::Tensor();
  EXPECT_EQ(request.num_running_steps(), 100);
}

TEST_F(ImageToImageTest, MoreStrengthGoesFurtherFromTheImage) {
  double last = 0.0;
  for (const double strength : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    DenoiseRequest request = image_request(strength);
    request.num_inference_steps = 10;
    request.guidance_scale = 1.0;
    const double distance = (run(request) - request.init_latents).norm().item<double>();
    EXPECT_GT(distance, last) << strength;
    last = distance;
  }
}

TEST_F(ImageToImageTest, TheReferencesNoiseIsAnother) {
  DenoiseRequest request = image_request(0.5);
  const at::Tensor matched = run(request);
  request.init_noise = InitNoise::kReference;
  EXPECT_FALSE(run(request).equal(matched));
  request.num_inference_steps = 999;
  request.strength = 0.0011;
  test::expect_error(ErrorCode::kInvalidArgument, "needs 0.002 or more", [&] { run(request); });
  request.strength = 0.0009;
  EXPECT_TRUE(run(request).equal(request.init_latents));
}

TEST_F(ImageToImageTest, AMaskOfZerosChangesNothing) {
  for (const MaskMethod method : {MaskMethod::kAuto, MaskMethod::kModel, MaskMethod::kBlend}) {
    const DenoiseRequest request = mask_request(method, at::zeros({1, 1, 8, 8}));
    EXPECT_TRUE(run(request).equal(request.init_latents));
  }
  // To the inpainting model, what is less than half masked is not masked.
  const DenoiseRequest request = mask_request(MaskMethod::kModel, at::full({1, 1, 8, 8}, 0.4));
  EXPECT_TRUE(run(request).equal(request.init_latents));
}

TEST_F(ImageToImageTest, AnImageWithoutAMaskStaysAmongOthers) {
  for (const MaskMethod method : {MaskMethod::kModel, MaskMethod::kBlend}) {
    DenoiseRequest request = TinyPipelineTest::request(2);
    request.init_latents = init_latents(2);
    request.mask = mask(2);
    request.mask[1].zero_();
    request.mask_method = method;
    const at::Tensor latents =
        denoise(request, rows_of(embeds_, 0, 2), rows_of(negative_embeds_, 0, 2));
    EXPECT_TRUE(latents[1].equal(request.init_latents[1]));
    EXPECT_FALSE(latents[0].equal(request.init_latents[0]));
  }
}

TEST_F(ImageToImageTest, AMaskOfOnesIsImageToImage) {
  EXPECT_TRUE(run(mask_request(MaskMethod::kBlend, at::ones({1, 1, 8, 8})))
                  .equal(run(image_request(0.75))));
}

TEST_F(ImageToImageTest, BlendedOutsideOfTheMaskTheImageStaysBitForBit) {
  for (const double strength : {0.5, 1.0}) {
    DenoiseRequest request = mask_request(MaskMethod::kBlend, mask());
    request.strength = strength;
    const at::Tensor latents = run(request);
    const at::Tensor kept = (mask() == 0).expand_as(latents);
    EXPECT_TRUE(latents.masked_select(kept).equal(request.init_latents.masked_select(kept)));
    EXPECT_FALSE(latents.masked_select(~kept)
                     .eq(request.init_latents.masked_select(~kept))
                     .any()
                     .item<bool>());
  }
}

TEST_F(ImageToImageTest, PreviewsShowTheImageOutsideOfTheMask) {
  const DenoiseRequest request = mask_request(MaskMethod::kBlend, mask());
  on_step_ = [&](const Progress& progress, const at::Tensor& latents) {
    if (progress.step > 0 && latents.defined()) {
      const at::Tensor kept = (mask() == 0).expand_as(latents);
      EXPECT_TRUE(latents.masked_select(kept).allclose(request.init_latents.masked_select(kept),
                                                       1e-3, 1e-3));
    }
    return ProgressAction::kContinue;
  };
  run(request);
}

TEST_F(ImageToImageTest, TheMethodDecidesWhichNetworkGenerates) {
  const std::unique_ptr<Pipeline> without = open("tiny-2-1", "");
  EXPECT_EQ(without->inpaint_path(), "");
  EXPECT_EQ(pipeline_->inpaint_path(), folder("tiny-2-1-inpaint"));
  const Embeds embeds = rows_of(embeds_, 0, 1);
  const Embeds negative = rows_of(negative_embeds_, 0, 1);
  const at::Tensor model = run(mask_request(MaskMethod::kModel, mask()));
  const at::Tensor blend = run(mask_request(MaskMethod::kBlend, mask()));
  const DenoiseRequest any = mask_request(MaskMethod::kAuto, mask());
  EXPECT_FALSE(model.equal(blend));
  EXPECT_TRUE(run(any).equal(model));
  EXPECT_TRUE(messages_.empty());
  EXPECT_TRUE(denoise(*without, any, embeds, &negative).equal(blend));
  ASSERT_EQ(messages_.size(), 1U);
  EXPECT_NE(messages_[0].find("no inpainting model"), std::string::npos);
  test::expect_error(ErrorCode::kInvalidArgument, "needs an inpainting model", [&] {
    denoise(*without, mask_request(MaskMethod::kModel, mask()), embeds, &negative);
  });
}

TEST_F(ImageToImageTest, AnInpaintingModelPaintsByItself) {
  const std::unique_ptr<Pipeline> inpaint = open("tiny-2-1-inpaint");
  EXPECT_EQ(inpaint->inpaint_path(), folder("tiny-2-1-inpaint"));
  const Embeds embeds = rows_of(embeds_, 0, 1);
  const Embeds negative = rows_of(negative_embeds_, 0, 1);
  const DenoiseRequest masked = mask_request(MaskMethod::kAuto, mask());
  EXPECT_TRUE(denoise(*inpaint, masked, embeds, &negative).equal(run(masked)));
  // Text to image is an image that is masked throughout.
  DenoiseRequest everything = mask_request(MaskMethod::kModel, at::ones({1, 1, 8, 8}));
  everything.strength = 1.0;
  EXPECT_TRUE(denoise(*inpaint, request(), embeds, &negative).equal(run(everything)));
}

TEST_F(ImageToImageTest, FoldersThatAreNoInpaintingModelAreRefused) {
  test::expect_error(ErrorCode::kInvalidArgument, "has 4 input channels",
                     [&] { open("tiny-2-1", folder("tiny-2-1")); });
  test::expect_error(ErrorCode::kNotFound, "", [&] { open("tiny-2-1", folder("nowhere")); });
  test::expect_error(ErrorCode::kNotFound, "unet",
                     [&] { open("tiny-2-1", folder("tiny-2-1-prior")); });
}

TEST_F(ImageToImageTest, RefusesWhatDoesNotFit) {
  const auto refused = [&](const char* part, const std::function<void(DenoiseRequest&)>& spoil) {
    DenoiseRequest request = mask_request(MaskMethod::kAuto, mask());
    spoil(request);
    test::expect_error(ErrorCode::kInvalidArgument, part, [&] { run(request); });
  };
  using R = DenoiseRequest;
  refused("init_latents is [1, 4, 8, 9]", [](R& r) { r.init_latents = at::zeros({1, 4, 8, 9}); });
  refused("mask is [1, 4, 8, 8]", [](R& r) { r.mask = at::ones({1, 4, 8, 8}); });
  refused("mask has values outside", [](R& r) { r.mask[0][0][0][0] = 1.5; });
  refused("mask has values outside", [](R& r) { r.mask[0][0][0][0] = NAN; });
  refused("a mask needs init_latents", [](R& r) { r.init_latents = at::Tensor(); });
  refused("tiling needs sides that are multiples of 64", [](R& r) {
    r.tiling = true;
    r.width = 60;
  });
}

}  // namespace
}  // namespace kandinsky::pipelines
