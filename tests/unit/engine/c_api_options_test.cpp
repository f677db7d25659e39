/// The structs of the C interface: NULLs, sizes of older programs, words and switches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kandinsky.hpp"

namespace {

using testing::HasSubstr;

const std::string kModel = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1";
constexpr int32_t kSide = 64;
constexpr size_t kPixels = size_t{kSide} * kSide * 3;

class COptionsTest : public testing::Test {
 protected:
  COptionsTest() {
    kandinsky_engine_options options;
    kandinsky_engine_options_init(&options);
    options.model_dir = kModel.c_str();
    options.device = "cpu";
    options.precision = "fp32";
    EXPECT_EQ(kandinsky_engine_open(&options, &engine_), KANDINSKY_OK) << kandinsky_last_error();
    kandinsky_prompt_options_init(&prompts_);
    prompts_.batch_size = 1;
    prompts_.prompts = &prompt_;
    prompts_.seeds = &seed_;
    prompts_.prior_num_inference_steps = 2;
    kandinsky_denoise_options_init(&denoise_);
    denoise_.batch_size = 1;
    denoise_.width = denoise_.height = kSide;
    denoise_.seeds = &seed_;
    denoise_.num_inference_steps = 2;
    kandinsky_source_options_init(&source_);
    source_.pictures = &picture_;
    source_.picture_count = 1;
  }
  ~COptionsTest() override { kandinsky_engine_free(engine_); }

  kandinsky_status text_to_image() {
    return kandinsky_text_to_image(engine_, &prompts_, &denoise_, result_.data(), result_.size());
  }
  kandinsky_status image_to_image() {
    return kandinsky_image_to_image(engine_, &prompts_, &denoise_, &source_, result_.data(),
                                    result_.size());
  }
  void expect_refused(kandinsky_status status, const char* word) {
    EXPECT_EQ(status, KANDINSKY_INVALID_ARGUMENT) << word;
    EXPECT_THAT(kandinsky_last_error(), HasSubstr(word));
  }

  kandinsky_engine* engine_ = nullptr;
  const char* prompt_ = "a cat";
  uint64_t seed_ = 1;
  std::vector<uint8_t> pixels_ = std::vector<uint8_t>(kPixels, 90);
  kandinsky_picture picture_{pixels_.data(), kSide, kSide, 3};
  kandinsky_prompt_options prompts_;
  kandinsky_denoise_options denoise_;
  kandinsky_source_options source_;
  std::vector<uint8_t> result_ = std::vector<uint8_t>(kPixels);
};

TEST_F(COptionsTest, NullIsAnAnswerNotACrash) {
  kandinsky_embeds* embeds = nullptr;
  expect_refused(kandinsky_encode_images(nullptr, &picture_, 1, &embeds), "engine");
  expect_refused(kandinsky_encode_images(engine_, nullptr, 1, &embeds), "pictures");
  expect_refused(kandinsky_encode_images(engine_, &picture_, 0, &embeds), "batch size");
  expect_refused(kandinsky_encode_images(engine_, &picture_, 1, nullptr), "out");
  expect_refused(kandinsky_embeds_concat(nullptr, 1, &embeds), "items");
  expect_refused(kandinsky_embeds_select(nullptr, nullptr, 0, &embeds), "embeds");
  expect_refused(kandinsky_image_to_image(engine_, nullptr, &denoise_, &source_, result_.data(),
                                          result_.size()),
                 "kandinsky_prompt_options");
  expect_refused(kandinsky_image_to_image(engine_, &prompts_, &denoise_, nullptr, result_.data(),
                                          result_.size()),
                 "kandinsky_source_options");
  expect_refused(
      kandinsky_paint(engine_, nullptr, nullptr, &denoise_, nullptr, result_.data(), kPixels),
      "embeds");
  expect_refused(
      kandinsky_image_to_image(engine_, &prompts_, &denoise_, &source_, nullptr, result_.size()),
      "pictures");
  kandinsky_picture* picture = nullptr;
  EXPECT_EQ(kandinsky_picture_load(nullptr, &picture), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_picture_load("x.png", nullptr), KANDINSKY_INVALID_ARGUMENT);
  kandinsky_picture_free(nullptr);
  EXPECT_EQ(embeds, nullptr);
  EXPECT_EQ(picture, nullptr);
}

TEST_F(COptionsTest, NullInsideOfStructsIsRefused) {
  picture_.pixels = nullptr;
  expect_refused(image_to_image(), "pictures");
  picture_.pixels = pixels_.data();
  source_.pictures = nullptr;
  expect_refused(image_to_image(), "pictures");
  source_.pictures = &picture_;
  source_.mask_count = 1;
  expect_refused(image_to_image(), "masks");
  source_.mask_count = 0;
  source_.resize = nullptr;
  expect_refused(image_to_image(), "resize");
  denoise_.condition_count = 1;
  expect_refused(text_to_image(), "conditions");
  denoise_.condition_count = 0;
  denoise_.scheduler = nullptr;
  expect_refused(text_to_image(), "scheduler");
  kandinsky_denoise_options_init(&denoise_);
  prompts_.negative_image = nullptr;
  expect_refused(text_to_image(), "negative_image");
}

/// As a program was compiled before the struct grew, with anything behind its end.
template <typename Options>
Options as_of(const Options& now, size_t size) {
  Options old;
  std::memset(&old, 0xAA, sizeof(old));
  std::memcpy(&old, &now, size);
  old.struct_size = static_cast<uint32_t>(size);
  return old;
}

TEST_F(COptionsTest, StructsOfOlderProgramsMeanTheDefaults) {
  ASSERT_EQ(text_to_image(), KANDINSKY_OK) << kandinsky_last_error();
  const std::vector<uint8_t> expected = result_;
  prompts_ = as_of(prompts_, offsetof(kandinsky_prompt_options, negative_prior_prompts));
  denoise_ = as_of(denoise_, offsetof(kandinsky_denoise_options, scheduler));
  std::fill(result_.begin(), result_.end(), uint8_t{0});
  ASSERT_EQ(text_to_image(), KANDINSKY_OK) << kandinsky_last_error();
  EXPECT_EQ(result_, expected);
}

TEST_F(COptionsTest, AnOlderProgramsEngineOptionsAndInfoAreEnough) {
  kandinsky_engine_options options;
  kandinsky_engine_options_init(&options);
  options.model_dir = kModel.c_str();
  options = as_of(options, offsetof(kandinsky_engine_options, inpaint_dir));
  kandinsky_engine* engine = nullptr;
  ASSERT_EQ(kandinsky_engine_open(&options, &engine), KANDINSKY_OK) << kandinsky_last_error();
  kandinsky_engine_info info;
  std::memset(&info, 0xAA, sizeof(info));
  const kandinsky_engine_info untouched = info;
  info.struct_size = offsetof(kandinsky_engine_info, inpaint_dir);
  EXPECT_EQ(kandinsky_engine_get_info(engine, &info), KANDINSKY_OK);
  EXPECT_EQ(info.size_multiple, 64);
  EXPECT_EQ(std::memcmp(&info.inpaint_dir, &untouched.inpaint_dir, sizeof(info.inpaint_dir)), 0);
  kandinsky_engine_free(engine);
}

TEST_F(COptionsTest, ShorterAndLongerStructsAreRefused) {
  prompts_.struct_size = 8;
  expect_refused(text_to_image(), "_init");
  kandinsky_prompt_options_init(&prompts_);
  prompts_.struct_size += 8;
  EXPECT_EQ(text_to_image(), KANDINSKY_INCOMPATIBLE);
  source_.struct_size = sizeof(source_) + 8;
  kandinsky_prompt_options_init(&prompts_);
  prompts_.batch_size = 1;
  prompts_.prompts = &prompt_;
  prompts_.seeds = &seed_;
  EXPECT_EQ(image_to_image(), KANDINSKY_INCOMPATIBLE);
  source_.struct_size = 4;
  expect_refused(image_to_image(), "kandinsky_source_options");
}

TEST_F(COptionsTest, UnknownWordsAreRefusedWithTheKnownOnes) {
  prompts_.negative_image = "black";
  expect_refused(text_to_image(), "prior");
  prompts_.negative_image = "prior";
  denoise_.init_noise = "loud";
  expect_refused(text_to_image(), "reference");
  denoise_.init_noise = "matched";
  denoise_.mask_method = "magic";
  expect_refused(text_to_image(), "blend");
  denoise_.mask_method = "auto";
  denoise_.scheduler = "Bus";
  expect_refused(text_to_image(), "Automatic");
  denoise_.scheduler = "automatic";
  EXPECT_EQ(text_to_image(), KANDINSKY_OK) << kandinsky_last_error();
  source_.resize = "shrink";
  expect_refused(image_to_image(), "crop");
  source_.resize = "crop";
  source_.mask_fill = "red";
  expect_refused(image_to_image(), "latent noise");
}

TEST_F(COptionsTest, SwitchesAreZeroOrOne) {
  for (int32_t* field : {&prompts_.parse_weights, &prompts_.long_prompts, &denoise_.tiling}) {
    const int32_t before = *field;
    *field = 2;
    expect_refused(text_to_image(), "expected 0 or 1");
    *field = before;
  }
  for (int32_t* field : {&source_.invert_mask, &source_.erode_mask, &source_.composite}) {
    const int32_t before = *field;
    *field = -1;
    expect_refused(image_to_image(), "expected 0 or 1");
    *field = before;
  }
}

TEST_F(COptionsTest, NumbersOutOfRangeAreRefused) {
  const auto refused = [&](double kandinsky_denoise_options::*field, const char* word) {
    const double before = denoise_.*field;
    for (const double value : {-0.1, 1.1, 1e30, std::nan("")}) {
      denoise_.*field = value;
      expect_refused(text_to_image(), word);
    }
    denoise_.*field = before;
  };
  refused(&kandinsky_denoise_options::guidance_rescale, "rescale");
  refused(&kandinsky_denoise_options::guidance_start, "guidance");
  refused(&kandinsky_denoise_options::guidance_end, "guidance");
  refused(&kandinsky_denoise_options::variation_strength, "variation");
  refused(&kandinsky_denoise_options::strength, "strength");
  denoise_.seed_resize_width = -1;
  expect_refused(text_to_image(), "seed resize");
  denoise_.seed_resize_width = 0;
  source_.mask_blur = 65;
  expect_refused(image_to_image(), "mask blur");
}

TEST_F(COptionsTest, ConditionsOutOfRangeAreRefused) {
  kandinsky_condition condition{0, 0, 1, 2, 1.0};
  denoise_.conditions = &condition;
  denoise_.condition_count = 1;
  ASSERT_EQ(text_to_image(), KANDINSKY_OK) << kandinsky_last_error();
  const kandinsky_condition good = condition;
  for (const kandinsky_condition& bad :
       {kandinsky_condition{1, 0, 1, 2, 1.0}, kandinsky_condition{-1, 0, 1, 2, 1.0},
        kandinsky_condition{0, 1, 1, 2, 1.0}, kandinsky_condition{0, -1, 1, 2, 1.0},
        kandinsky_condition{0, 0, 0, 2, 1.0}, kandinsky_condition{0, 0, 2, 1, 1.0},
        kandinsky_condition{0, 0, 1, 3, 1.0}, kandinsky_condition{0, 0, 1, 2, 101.0},
        kandinsky_condition{0, 0, 1, 2, std::nan("")}}) {
    condition = bad;
    EXPECT_EQ(text_to_image(), KANDINSKY_INVALID_ARGUMENT);
  }
  condition = good;
  EXPECT_EQ(text_to_image(), KANDINSKY_OK) << kandinsky_last_error();
}

}  // namespace
