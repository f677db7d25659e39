/// Options by name: every one that is listed, values that are refused, and what jobs do with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <thread>

#include "engine/jobs.h"

namespace kandinsky::test {
namespace {

using testing::HasSubstr;

constexpr int kTypes = KANDINSKY_PATHS + 1;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void expect_refused(kandinsky_status status, const std::string& word) {
  EXPECT_EQ(status, KANDINSKY_INVALID_ARGUMENT) << word;
  EXPECT_THAT(kandinsky_last_error(), HasSubstr(word));
}

/// Calls the setter of that type: with what the text says, or with a list of `count` alike.
kandinsky_status set_as(int type, Options& to, const char* name, const std::string& text,
                        size_t count = 1) {
  const uint8_t pixel = 0;
  const int64_t shape[]{1, 1, 1, static_cast<int64_t>(count)};
  switch (type) {
    case KANDINSKY_FLAG:
      return kandinsky_options_set_flag(to.get(), name, text == "true" ? 1 : 0);
    case KANDINSKY_INTEGER:
      return kandinsky_options_set_integer(to.get(), name, std::stoll(text));
    case KANDINSKY_NUMBER:
      return kandinsky_options_set_number(to.get(), name, std::stod(text));
    case KANDINSKY_TEXT:
    case KANDINSKY_PATH:
      return kandinsky_options_set_text(to.get(), name, text.c_str());
    case KANDINSKY_TEXTS:
    case KANDINSKY_PATHS:
      return kandinsky_options_set_texts(
          to.get(), name, std::vector<const char*>(count, text.c_str()).data(), count);
    case KANDINSKY_SEEDS:
      return kandinsky_options_set_seeds(to.get(), name, Seeds(count).data(), count);
    case KANDINSKY_FLOATS:
      return kandinsky_options_set_floats(to.get(), name, Floats(count).data(), shape);
    case KANDINSKY_IMAGES:
      return kandinsky_options_set_images(
          to.get(), name, std::vector<kandinsky_image>(count, {&pixel, 1, 1, 1}).data(), count);
    case KANDINSKY_CONDITIONS:
      return kandinsky_options_set_conditions(
          to.get(), name, std::vector<kandinsky_condition>(count, {0, 0, 1, 1, 1.0}).data(), count);
    default:
      ADD_FAILURE() << name << " is of a type without a setter: " << type;
      return KANDINSKY_INTERNAL;
  }
}

bool takes(const kandinsky_option_info& info, int type) {
  return type == static_cast<int>(info.type) ||
         (type == KANDINSKY_INTEGER && info.type == KANDINSKY_NUMBER) ||
         (type == KANDINSKY_TEXT && info.type == KANDINSKY_PATH) ||
         (type == KANDINSKY_PATH && info.type == KANDINSKY_TEXT) ||
         (type == KANDINSKY_TEXTS && info.type == KANDINSKY_PATHS) ||
         (type == KANDINSKY_PATHS && info.type == KANDINSKY_TEXTS);
}

/// The default, or a value of an option that has none.
std::string valid_text(const kandinsky_option_info& info) {
  return info.type == KANDINSKY_TEXTS && info.words != nullptr ? info.words[0]
         : info.default_value == nullptr                       ? ""
                                                               : info.default_value;
}

/// Calls setters with what the option does not take.
void set_wrongly(Options& to, const kandinsky_option_info& info) {
  for (int type = 0; type < kTypes; ++type) {
    if (!takes(info, type)) expect_refused(set_as(type, to, info.name, "1"), info.name);
  }
  const auto refused = [&](kandinsky_status status) { expect_refused(status, info.name); };
  const size_t too_many = std::isfinite(info.maximum) ? static_cast<size_t>(info.maximum) + 1 : 0;
  const float nan = std::nanf("");
  const int64_t shape[]{1, 1, 1, 1};
  const int64_t no_shape[]{1, 0, 1, 1};
  switch (info.type) {
    case KANDINSKY_FLAG:
      refused(kandinsky_options_set_flag(to.get(), info.name, 2));
      refused(kandinsky_options_set_flag(to.get(), info.name, -1));
      break;
    case KANDINSKY_INTEGER:
      refused(kandinsky_options_set_integer(to.get(), info.name, INT64_MIN));
      refused(kandinsky_options_set_integer(to.get(), info.name, INT64_MAX));
      refused(kandinsky_options_set_integer(to.get(), info.name,
                                            static_cast<int64_t>(info.minimum) - 1));
      break;
    case KANDINSKY_NUMBER:
      for (const double value : {info.minimum - 0.1, info.maximum + 0.1, 1e300, HUGE_VAL, kNan})
        refused(kandinsky_options_set_number(to.get(), info.name, value));
      refused(kandinsky_options_set_integer(to.get(), info.name, INT64_MAX));
      break;
    case KANDINSKY_TEXT:
      refused(kandinsky_options_set_text(to.get(), info.name, "\xff"));
      if (info.words != nullptr) {
        refused(kandinsky_options_set_text(to.get(), info.name, "nonsense"));
        EXPECT_THAT(kandinsky_last_error(), HasSubstr(info.words[0]));
      }
      break;
    case KANDINSKY_PATH:
      break;
    case KANDINSKY_TEXTS:
    case KANDINSKY_PATHS: {
      const char* texts[]{"a dog", "\xff"};
      if (info.type == KANDINSKY_TEXTS)
        refused(kandinsky_options_set_texts(to.get(), info.name, texts, 2));
      texts[1] = nullptr;
      refused(kandinsky_options_set_texts(to.get(), info.name, texts, 2));
      refused(set_as(info.type, to, info.name, valid_text(info), too_many));
      break;
    }
    case KANDINSKY_FLOATS:
      refused(kandinsky_options_set_floats(to.get(), info.name, &nan, shape));
      refused(kandinsky_options_set_floats(to.get(), info.name, &nan, no_shape));
      break;
    case KANDINSKY_IMAGES: {
      const uint8_t pixels[]{7, 7};
      const kandinsky_image images[]{{pixels, 1, 1, 1}, {pixels, 1, 1, 2}};
      const kandinsky_image none{nullptr, 1, 1, 1};
      refused(kandinsky_options_set_images(to.get(), info.name, images, 2));
      refused(kandinsky_options_set_images(to.get(), info.name, &none, 1));
      refused(set_as(info.type, to, info.name, "", too_many));
      break;
    }
    case KANDINSKY_SEEDS:
    case KANDINSKY_CONDITIONS:
      refused(set_as(info.type, to, info.name, "", too_many));
      break;
  }
}

TEST(OptionList, NamesEveryOperationAndItsOptions) {
  const Texts operations = operation_names();
  EXPECT_THAT(operations, testing::UnorderedElementsAre("engine", "encode_prompts", "denoise",
                                                        "decode", "encode", "text_to_image",
                                                        "image_to_image", "generate"));
  EXPECT_EQ(kandinsky_operation_name(operations.size()), nullptr);
  for (const std::string& operation : operations) {
    const auto infos = option_infos(operation);
    EXPECT_FALSE(infos.empty()) << operation;
    for (const kandinsky_option_info& info : infos) {
      EXPECT_EQ(info.struct_size, sizeof(info));
      EXPECT_EQ(info.words == nullptr, info.word_count == 0) << info.name;
      for (const char* text : {info.name, info.group, info.help}) EXPECT_STRNE(text, "");
      for (const char* text : {info.unit, info.source}) EXPECT_NE(text, nullptr) << info.name;
    }
  }
}

TEST(OptionList, WhatIsNotThereIsToldApart) {
  EXPECT_EQ(kandinsky_option_count("nonsense"), 0U);
  EXPECT_EQ(kandinsky_option_count(nullptr), 0U);
  kandinsky_option_info info;
  kandinsky_option_info_init(&info);
  expect_refused(kandinsky_option_get_info("nonsense", 0, &info), "text_to_image");
  expect_refused(kandinsky_option_get_info(nullptr, 0, &info), "operation");
  expect_refused(kandinsky_option_get_info("decode", 0, nullptr), "kandinsky_option_info");
  for (const size_t index : {kandinsky_option_count("decode"), SIZE_MAX})
    expect_refused(kandinsky_option_get_info("decode", index, &info), "of decode");
  EXPECT_EQ(info.name, nullptr);
  kandinsky_options* options = nullptr;
  expect_refused(kandinsky_options_new("nonsense", &options), "text_to_image");
  expect_refused(kandinsky_options_new(nullptr, &options), "operation");
  expect_refused(kandinsky_options_new("decode", nullptr), "out");
  EXPECT_EQ(options, nullptr);
}

TEST(OptionList, EveryOptionTakesItsDefaultThroughItsSetter) {
  for (const std::string& operation : operation_names()) {
    for (const kandinsky_option_info& info : option_infos(operation)) {
      Options options(operation);
      for (int type = 0; type < kTypes; ++type) {
        if (!takes(info, type) || (type == KANDINSKY_INTEGER && info.type == KANDINSKY_NUMBER))
          continue;
        EXPECT_EQ(set_as(type, options, info.name, valid_text(info)), KANDINSKY_OK)
            << operation << " " << info.name << ": " << kandinsky_last_error();
      }
      for (size_t i = 0; i < info.word_count; ++i) {
        EXPECT_EQ(set_as(info.type, options, info.name, info.words[i]), KANDINSKY_OK)
            << kandinsky_last_error();
      }
      for (const double bound : {info.minimum, info.maximum}) {
        if (info.type != KANDINSKY_INTEGER && info.type != KANDINSKY_NUMBER) continue;
        EXPECT_EQ(
            kandinsky_options_set_integer(options.get(), info.name, static_cast<int64_t>(bound)),
            KANDINSKY_OK)
            << kandinsky_last_error();
      }
    }
  }
}

TEST(OptionSetters, TellWhatIsMissingOrUnknown) {
  for (int type = 0; type < kTypes; ++type) {
    Options options("text_to_image");
    expect_refused(set_as(type, options, nullptr, "1"), "name");
    expect_refused(set_as(type, options, "guidance_scal", "1"), "did you mean \"guidance_scale\"?");
    // An option, but of image to image.
    expect_refused(set_as(type, options, "strength", "1"), "text_to_image has no option");
  }
  Options options("denoise");
  kandinsky_options* to = options.get();
  const int64_t shape[]{1, 1, 1, 1};
  const float value = 0;
  expect_refused(kandinsky_options_set_flag(nullptr, "tiling", 1), "options");
  expect_refused(kandinsky_options_set_integer(nullptr, "width", 64), "options");
  expect_refused(kandinsky_options_set_number(nullptr, "strength", 1), "options");
  expect_refused(kandinsky_options_set_text(nullptr, "sampler", "DDIM"), "options");
  expect_refused(kandinsky_options_set_texts(nullptr, "prompts", nullptr, 0), "options");
  expect_refused(kandinsky_options_set_seeds(nullptr, "seeds", nullptr, 0), "options");
  expect_refused(kandinsky_options_set_floats(nullptr, "noise", &value, shape), "options");
  expect_refused(kandinsky_options_set_images(nullptr, "images", nullptr, 0), "options");
  expect_refused(kandinsky_options_set_conditions(nullptr, "conditions", nullptr, 0), "options");
  expect_refused(kandinsky_options_set_text(to, "sampler", nullptr), "value");
  expect_refused(kandinsky_options_set_seeds(to, "seeds", nullptr, 1), "values");
  expect_refused(kandinsky_options_set_conditions(to, "conditions", nullptr, 1), "values");
  expect_refused(kandinsky_options_set_floats(to, "noise", &value, nullptr), "shape");
  Options texts("image_to_image");
  expect_refused(kandinsky_options_set_texts(texts.get(), "prompts", nullptr, 1), "values");
  expect_refused(kandinsky_options_set_images(texts.get(), "images", nullptr, 1), "values");
}

TEST(OptionSetters, RefuseWhatAnOptionDoesNotTake) {
  for (const std::string& operation : operation_names()) {
    Options options(operation);
    for (const kandinsky_option_info& info : option_infos(operation)) set_wrongly(options, info);
  }
}

class OptionsTest : public testing::Test {
 protected:
  /// Options of image to image, with lists.
  static Options image_job() {
    Options options = job("image_to_image");
    options.set("images", std::vector{scene()}).set("masks", std::vector{mask(20)});
    options.set("conditions", std::vector<kandinsky_condition>{{0, 0, 1, 3, 1.0}});
    return options;
  }
  /// Options of "denoise" with floats of each kind.
  static Options latents_job() {
    Options options = job("denoise");
    options.set("noise", Floats(kLatents, 0.5F), {1, 4, 8, 8});
    options.set("init_latents", Floats(kLatents, 0.1F), {1, 4, 8, 8});
    options.set("mask", Floats(64, 1.0F), {1, 1, 8, 8});
    return options;
  }
  Engine engine_{model_options()};
  std::pair<Embeds, Embeds> embeds_ = engine_.encode_prompts(job("encode_prompts"));
  Floats denoised(const Options& options) {
    return denoise(engine_, embeds_.first, embeds_.second, options);
  }
};

TEST_F(OptionsTest, AFailedSetterChangesNothing) {
  const auto spoiled = [](Options options, const char* operation) {
    for (const kandinsky_option_info& info : option_infos(operation)) set_wrongly(options, info);
    return options;
  };
  EXPECT_EQ(image_to_image(engine_, spoiled(image_job(), "image_to_image")),
            image_to_image(engine_, image_job()));
  EXPECT_EQ(denoised(spoiled(latents_job(), "denoise")), denoised(latents_job()));
}

TEST_F(OptionsTest, DefaultsAndEmptyListsAreAsIfNothingWasSet) {
  const auto touched = [](const char* operation) {
    Options options(operation);
    for (const kandinsky_option_info& info : option_infos(operation)) {
      EXPECT_EQ(set_as(info.type, options, info.name, valid_text(info)), KANDINSKY_OK);
      if (info.type >= KANDINSKY_TEXTS) {
        EXPECT_EQ(set_as(info.type, options, info.name, "", 0), KANDINSKY_OK)
            << kandinsky_last_error();
      }
    }
    make_small(options, operation);
    return options;
  };
  EXPECT_EQ(text_to_image(engine_, touched("text_to_image")), text_to_image(engine_));
  EXPECT_EQ(denoised(touched("denoise")), denoised(job("denoise")));
  EXPECT_EQ(generate(engine_, embeds_.first, embeds_.second, touched("generate")),
            generate(engine_, embeds_.first, embeds_.second));
}

TEST_F(OptionsTest, ServeManyJobsAndEnginesAndStayAsTheyWere) {
  const Options model = model_options();
  Engine one(model);
  Engine other(model);
  const Options options = image_job();
  const Pixels expected = image_to_image(one, options);
  Pixels there;
  std::thread worker([&] { there = image_to_image(other, options); });
  EXPECT_EQ(image_to_image(one, options), expected);
  worker.join();
  EXPECT_EQ(there, expected);
  for (const std::string& sampler : sampler_names()) {
    Options latents = latents_job();
    latents.set("sampler", sampler);
    EXPECT_EQ(denoised(latents), denoised(latents)) << sampler;
  }
}

TEST_F(OptionsTest, HoldCopiesOfWhatTheyWereGiven) {
  std::string text = "a cat";
  const char* prompt = text.c_str();
  uint64_t seed = 1;
  Image image = scene();
  const kandinsky_image raw = image.raw();
  Options options = job("image_to_image");
  options.set("images", &raw, 1);
  check(kandinsky_options_set_texts(options.get(), "prompts", &prompt, 1));
  check(kandinsky_options_set_seeds(options.get(), "seeds", &seed, 1));
  const Pixels expected = image_to_image(engine_, options);
  text.replace(2, 3, "dog");
  seed = 2;
  std::ranges::fill(image.pixels, uint8_t{0});
  EXPECT_EQ(image_to_image(engine_, options), expected);
}

TEST_F(OptionsTest, ThoseOfAnotherOperationAreRefused) {
  const std::map<std::string, std::function<void(const Options&)>> calls{
      {"engine", [](const Options& o) { Engine engine(o); }},
      {"encode_prompts", [&](const Options& o) { engine_.encode_prompts(o); }},
      {"denoise", [&](const Options& o) { denoised(o); }},
      {"decode", [&](const Options& o) { decode(engine_, Floats(kLatents), o); }},
      {"encode", [&](const Options& o) { encode(engine_, Pixels(kPixels), o); }},
      {"text_to_image", [&](const Options& o) { text_to_image(engine_, o); }},
      {"image_to_image", [&](const Options& o) { image_to_image(engine_, o); }},
      {"generate", [&](const Options& o) { generate(engine_, embeds_.first, embeds_.second, o); }}};
  for (const std::string& wanted : operation_names()) {
    for (const std::string& other : operation_names()) {
      if (wanted == other) continue;
      std::string message;
      EXPECT_EQ(status_of([&] { calls.at(wanted)(Options(other)); }, &message),
                KANDINSKY_INVALID_ARGUMENT);
      EXPECT_EQ(message, "options of " + wanted + " are needed, these are of " + other);
    }
  }
}

TEST_F(OptionsTest, ConditionsOutOfRangeAreRefused) {
  Options options = job("text_to_image");
  const auto with = [&](const kandinsky_condition& condition) {
    return status_of(
        [&] { text_to_image(engine_, options.set("conditions", std::vector{condition})); });
  };
  for (const kandinsky_condition& bad :
       {kandinsky_condition{1, 0, 1, 3, 1.0}, kandinsky_condition{-1, 0, 1, 3, 1.0},
        kandinsky_condition{0, 1, 1, 3, 1.0}, kandinsky_condition{0, -1, 1, 3, 1.0},
        kandinsky_condition{0, 0, 0, 3, 1.0}, kandinsky_condition{0, 0, 2, 1, 1.0},
        kandinsky_condition{0, 0, 1, 4, 1.0}, kandinsky_condition{0, 0, 1, 3, 101.0},
        kandinsky_condition{0, 0, 1, 3, kNan}}) {
    EXPECT_EQ(with(bad), KANDINSKY_INVALID_ARGUMENT);
  }
  EXPECT_EQ(with({0, 0, 1, 3, 1.0}), KANDINSKY_OK);
}

class RawEngineTest : public testing::Test {
 protected:
  RawEngineTest() { check(kandinsky_engine_open(model_options().get(), &engine_)); }
  ~RawEngineTest() override { kandinsky_engine_free(engine_); }
  kandinsky_engine* engine_ = nullptr;
};

TEST_F(RawEngineTest, NullIsAnAnswerNotACrash) {
  const Image source = scene();
  const kandinsky_image image = source.raw();
  Pixels images(kPixels);
  Floats latents(kLatents);
  kandinsky_embeds* embeds = nullptr;
  expect_refused(kandinsky_encode_images(nullptr, &image, 1, &embeds), "engine");
  expect_refused(kandinsky_encode_images(engine_, nullptr, 1, &embeds), "images");
  expect_refused(kandinsky_encode_images(engine_, &image, 0, &embeds), "batch size");
  expect_refused(kandinsky_encode_images(engine_, &image, 65, &embeds), "65 images");
  expect_refused(kandinsky_encode_images(engine_, &image, 1, nullptr), "out");
  expect_refused(kandinsky_encode_prompts(engine_, nullptr, &embeds, nullptr), "options");
  expect_refused(kandinsky_text_to_image(engine_, nullptr, images.data(), kPixels), "options");
  expect_refused(kandinsky_image_to_image(engine_, nullptr, images.data(), kPixels), "options");
  expect_refused(kandinsky_decode(engine_, nullptr, latents.data(), kLatents, images.data(), 1),
                 "options");
  expect_refused(kandinsky_encode(engine_, nullptr, images.data(), kPixels, latents.data(), 1),
                 "options");
  expect_refused(kandinsky_text_to_image(engine_, job("text_to_image").get(), nullptr, kPixels),
                 "images");
  const Options options = job("generate");
  expect_refused(
      kandinsky_generate(engine_, nullptr, nullptr, options.get(), images.data(), kPixels),
      "embeds");
  expect_refused(kandinsky_embeds_concat(nullptr, 1, &embeds), "items");
  expect_refused(kandinsky_embeds_select(nullptr, nullptr, 0, &embeds), "embeds");
  kandinsky_image* loaded = nullptr;
  EXPECT_EQ(kandinsky_image_load(nullptr, &loaded), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_image_load("x.png", nullptr), KANDINSKY_INVALID_ARGUMENT);
  kandinsky_image_free(nullptr);
  kandinsky_options_free(nullptr);
  EXPECT_EQ(embeds, nullptr);
  EXPECT_EQ(loaded, nullptr);
}

TEST_F(RawEngineTest, AnOlderProgramsShorterStructIsWrittenNoFurther) {
  kandinsky_engine_info info;
  std::memset(&info, 0xAA, sizeof(info));
  const kandinsky_engine_info untouched = info;
  info.struct_size = offsetof(kandinsky_engine_info, inpaint_dir);
  EXPECT_EQ(kandinsky_engine_get_info(engine_, &info), KANDINSKY_OK);
  EXPECT_EQ(info.size_multiple, 64);
  EXPECT_EQ(std::memcmp(&info.inpaint_dir, &untouched.inpaint_dir, sizeof(info.inpaint_dir)), 0);
  info.struct_size = 0;
  expect_refused(kandinsky_engine_get_info(engine_, &info), "_init");
}

TEST_F(RawEngineTest, ANewerProgramsLongerStructIsFilledAsFarAsIsKnown) {
  struct {
    kandinsky_option_info known;
    const char* later;
  } info;
  kandinsky_option_info_init_sized(&info.known, sizeof(info));
  EXPECT_EQ(kandinsky_option_get_info("decode", 0, &info.known), KANDINSKY_OK);
  EXPECT_STREQ(info.known.name, "width");
  EXPECT_EQ(info.known.struct_size, sizeof(info));
  EXPECT_EQ(info.later, nullptr);
}

}  // namespace
}  // namespace kandinsky::test
