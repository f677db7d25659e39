#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "options/options.h"
#include "options/presets.h"
#include "unit/support.h"

namespace kandinsky::options {
namespace {

void refused(const std::string& part, const std::function<void(Options&)>& set,
             const char* operation = "image_to_image") {
  Options options(operation);
  test::expect_error(ErrorCode::kInvalidArgument, part, [&] { set(options); });
}

TEST(OptionTable, EveryRowIsWhole) {
  std::set<std::string> names;
  for (const Operation& operation : operations()) {
    std::set<std::string> own;
    for (const OptionRow* row : operation.rows) {
      EXPECT_TRUE(own.insert(row->name).second) << row->name;
      names.insert(row->name);
      EXPECT_LE(row->minimum, row->maximum) << row->name;
      EXPECT_NE(std::string(row->help), "") << row->name;
      EXPECT_NE(std::string(row->help).back(), '.') << row->name;
      if (row->type == OptionType::kInteger || row->type == OptionType::kNumber) {
        EXPECT_TRUE(std::isfinite(row->minimum) && std::isfinite(row->maximum)) << row->name;
        const double value = std::stod(*row->default_value);
        EXPECT_TRUE(value >= row->minimum && value <= row->maximum) << row->name;
      }
      if (!row->words.empty() && row->type == OptionType::kText) {
        EXPECT_NE(std::ranges::find(row->words, *row->default_value), row->words.end())
            << row->name;
      }
    }
    EXPECT_EQ(&find_operation(operation.name), &operation);
  }
  EXPECT_GE(names.size(), 40U);
  test::expect_error(ErrorCode::kInvalidArgument, "text_to_image",
                     [] { find_operation("text_to_images"); });
}

TEST(OptionTable, DefaultsAreThoseOfTheFields) {
  Options options("denoise");
  for (const OptionRow* row : options.operation().rows) {
    if (row->type == OptionType::kInteger)
      options.set_integer(row->name, std::stoll(*row->default_value));
    if (row->type == OptionType::kNumber)
      options.set_number(row->name, std::stod(*row->default_value));
    if (row->type == OptionType::kText) options.set_text(row->name, *row->default_value);
  }
  const DenoiseRequest& set = options.values().denoise;
  const DenoiseRequest fresh;
  EXPECT_EQ(set.width, fresh.width);
  EXPECT_EQ(set.sampler, fresh.sampler);
  EXPECT_EQ(set.strength, fresh.strength);
  EXPECT_EQ(set.mask_method, fresh.mask_method);
}

TEST(OptionTable, ANumberIsWithinItsRangeOrRefused) {
  for (const Operation& operation : operations()) {
    for (const OptionRow* row : operation.rows) {
      Options options(operation.name);
      const auto expect_refused = [&](double value) {
        test::expect_error(ErrorCode::kInvalidArgument, row->name,
                           [&] { options.set_number(row->name, value); });
      };
      if (row->type == OptionType::kInteger) {
        options.set_integer(row->name, static_cast<int64_t>(row->minimum));
        options.set_integer(row->name, static_cast<int64_t>(row->maximum));
        for (const int64_t value :
             {static_cast<int64_t>(row->minimum) - 1, static_cast<int64_t>(row->maximum) + 1})
          test::expect_error(ErrorCode::kInvalidArgument, row->name,
                             [&] { options.set_integer(row->name, value); });
      }
      if (row->type == OptionType::kNumber) {
        options.set_number(row->name, row->minimum);
        options.set_number(row->name, row->maximum);
        options.set_integer(row->name, static_cast<int64_t>(row->maximum));
        for (const double value :
             {row->minimum - 1e-9, row->maximum + 1e-9, std::numeric_limits<double>::quiet_NaN(),
              std::numeric_limits<double>::infinity()})
          expect_refused(value);
      }
    }
  }
  refused("mask_blur is 65 pixels, expected 0 to 64",
          [](Options& o) { o.set_integer("mask_blur", 65); });
  refused("guidance_rescale is 1.5, expected 0 to 1",
          [](Options& o) { o.set_number("guidance_rescale", 1.5); });
}

TEST(OptionTable, AnUnknownNameIsAnsweredWithTheNearest) {
  refused("image_to_image has no option \"guidance_scal\"; did you mean \"guidance_scale\"?",
          [](Options& o) { o.set_number("guidance_scal", 1); });
  refused("did you mean \"mask_blur\"?", [](Options& o) { o.set_integer("mask_blurr", 1); });
  refused(
      "text_to_image has no option \"strength\"", [](Options& o) { o.set_number("strength", 1); },
      "text_to_image");
  refused("has no option \"\"", [](Options& o) { o.set_flag("", true); });
  refused("has no option", [](Options& o) { o.set_flag(std::string(1 << 20, 'x'), true); });
}

TEST(OptionTable, EachTypeHasItsSetter) {
  refused("width is an integer, not a number", [](Options& o) { o.set_number("width", 64); });
  refused("tiling is a flag, not an integer", [](Options& o) { o.set_integer("tiling", 1); });
  refused("sampler is a text, not a flag", [](Options& o) { o.set_flag("sampler", true); });
  refused("prompts is a list of texts, not a text", [](Options& o) { o.set_text("prompts", "a"); });
  refused("seeds is a list of seeds, not a list of texts",
          [](Options& o) { o.set_texts("seeds", {"1"}); });
  refused("images is images, not a list of floats",
          [](Options& o) { o.set_floats("images", {}, {}); });
}

TEST(OptionTable, WordsAreReadInAnyCase) {
  Options options("image_to_image");
  options.set_text("sampler", "dpm++ 2m");
  EXPECT_EQ(options.values().denoise.sampler, "DPM++ 2M");
  options.set_text("mask_fill", "Latent Noise");
  EXPECT_EQ(options.values().source.mask_fill, MaskFill::kLatentNoise);
  refused("mask_fill is \"grey\", expected one of: \"original\", \"fill\"",
          [](Options& o) { o.set_text("mask_fill", "grey"); });
  refused(
      "without is \"x\", expected one of", [](Options& o) { o.set_texts("without", {"x"}); },
      "engine");
}

TEST(OptionTable, NumbersAreReadFromText) {
  Options options("denoise");
  options.set_text("sigmas", " 14.6,6.5, 2.7 .5 ");
  EXPECT_EQ(options.values().denoise.sigmas, (std::vector<double>{14.6, 6.5, 2.7, 0.5}));
  EXPECT_EQ(options.text("sigmas"), "14.6, 6.5, 2.7, 0.5");
  for (const char* const wrong : {"1; 2", "1, two", "1, nan", "1, 1e999", "1,2x", "0x10", "1 -"})
    refused("sigmas has \"", [&](Options& o) { o.set_text("sigmas", wrong); });
  for (const char* const wrong : {",", "1,", " ,1", "2,,1", "2, , 1"})
    refused("sigmas has a comma with no number", [&](Options& o) { o.set_text("sigmas", wrong); });
  refused("UTF-8", [](Options& o) { o.set_text("sigmas", "\xff"); });
  options.set_text("sigmas", " ");
  EXPECT_TRUE(options.values().denoise.sigmas.empty());
  options.set_text("sigmas", "");
  EXPECT_TRUE(options.values().denoise.sigmas.empty());
}

TEST(OptionTable, SigmasSayHowManySteps) {
  Options options("denoise");
  options.set_text("sigmas", "14.6, 6.5, 2.7");
  EXPECT_EQ(options.values().denoise.num_inference_steps, 3);
  options.set_integer("num_inference_steps", 20);
  EXPECT_EQ(options.values().denoise.num_inference_steps, 20) << "for the job to refuse";
  Options others("denoise");
  others.set_text("sigmas", "14.6, 6.5, 2.7");
  others.set_text("sigmas", "");
  EXPECT_EQ(others.text("num_inference_steps"), "50");
}

/// A preset's values are those of options that are left out, in whatever order they come.
TEST(OptionTable, APresetFillsInWhatIsLeftOut) {
  const auto steps = [](const Options& o) { return o.values().denoise.num_inference_steps; };
  Options options("image_to_image");
  options.set_integer("num_inference_steps", 33);
  options.set_text("preset", "Fast");
  EXPECT_EQ(steps(options), 33);
  EXPECT_NE(options.text("sampler"), "DDIM");
  EXPECT_NE(options.text("prior_num_inference_steps"), "25");
  options.set_text("sampler", "DDIM");
  EXPECT_EQ(options.text("sampler"), "DDIM");
  options.set_text("preset", "exact");
  EXPECT_EQ(options.text("prior_num_inference_steps"), "25");
  EXPECT_EQ(steps(options), 33);
  refused("preset is \"slow\"", [](Options& o) { o.set_text("preset", "slow"); });
  // Settings that a call does not have are not its business.
  Options prompts("encode_prompts");
  prompts.set_text("preset", "fast");
  EXPECT_NE(prompts.text("prior_num_inference_steps"), "25");
}

TEST(OptionTable, EveryPresetIsOfOptionsAndSetsThem) {
  EXPECT_STREQ(presets().front().name, "exact");
  EXPECT_TRUE(presets().front().settings.empty());
  for (const Preset& preset : presets()) {
    for (const auto& [option, value] : preset.settings) {
      Options options("image_to_image");
      const std::string before = options.text(option);
      options.set_text("preset", preset.name);
      EXPECT_NE(options.text(option), before) << preset.name << " says nothing with " << option;
    }
  }
}

TEST(OptionTable, AnOptionThatNoTextStandsForIsRefused) {
  refused("images is images, which cannot be set from a text",
          [](Options& o) { o.text("images"); });
  refused("did you mean \"seeds\"", [](Options& o) { o.text("seed"); });
}

TEST(OptionTable, ListsAreBounded) {
  refused("there are 65 seeds, expected at most 64",
          [](Options& o) { o.set_seeds("seeds", std::vector<uint64_t>(65)); });
  refused("there are 65 images, expected at most 64",
          [](Options& o) { o.set_images("images", std::vector<io::Image>(65)); });
  refused("images[1]: 0 x 0 pixels", [](Options& o) {
    o.set_images("images", {{1, 1, 1, {7}}, {}});
  });
  refused("prompts[1] is not UTF-8", [](Options& o) { o.set_texts("prompts", {"a", "\xff"}); });
}

TEST(OptionTable, FloatsAreFiniteAndNoLargerThanLatents) {
  Options options("denoise");
  const std::vector<float> four{1, 2, 3, 4};
  options.set_floats("noise", four, {1, 1, 2, 2});
  EXPECT_EQ(options.values().denoise.noise.sizes(), (std::vector<int64_t>{1, 1, 2, 2}));
  options.set_floats("noise", {}, {});
  EXPECT_FALSE(options.values().denoise.noise.defined());
  for (const auto& [value, part] :
       {std::pair(NAN, "not finite"), std::pair(-INFINITY, "not finite"),
        std::pair(1.5e4F, "values up to 15000")}) {
    const std::vector<float> one{value};
    test::expect_error(ErrorCode::kInvalidArgument, part, [&] {
      options.set_floats("noise", one, {1, 1, 1, 1});
    });
  }
}

TEST(OptionTable, OptionsOfAnotherCallAreRefused) {
  const Options options("decode");
  EXPECT_NO_THROW(options.values_for("decode"));
  test::expect_error(ErrorCode::kInvalidArgument,
                     "options of generate are needed, these are of decode",
                     [&] { options.values_for("generate"); });
}

}  // namespace
}  // namespace kandinsky::options
