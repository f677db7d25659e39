/// The C interface with real, very small models: jobs, callbacks, cancelling, and what happens to
/// wrong arguments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <thread>

#include "engine/jobs.h"
#include "unit/support.h"

namespace kandinsky::test {
namespace {

using testing::HasSubstr;

TEST(CApiTest, NamesAreThere) {
  EXPECT_THAT(sampler_names(), testing::Contains("DDIM"));
  EXPECT_THAT(family_names(), testing::Contains("kandinsky-2-1"));
  EXPECT_EQ(kandinsky_sampler_name(kandinsky_sampler_count()), nullptr);
  EXPECT_EQ(kandinsky_family_name(kandinsky_family_count()), nullptr);
  EXPECT_THAT(scheduler_names(), testing::Contains("Automatic"));
  EXPECT_EQ(scheduler_names().size(), scheduler_descriptions().size());
  EXPECT_EQ(kandinsky_scheduler_name(kandinsky_scheduler_count()), nullptr);
  EXPECT_EQ(kandinsky_scheduler_description(kandinsky_scheduler_count()), nullptr);
  EXPECT_STREQ(kandinsky_status_name(KANDINSKY_OK), "ok");
  EXPECT_STREQ(kandinsky_status_name(KANDINSKY_NOT_FOUND), "not found");
  EXPECT_THAT(kandinsky_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST(CApiTest, NullIsAnAnswerNotACrash) {
  const Options options("engine");
  kandinsky_engine* engine = nullptr;
  EXPECT_EQ(kandinsky_engine_open(nullptr, &engine), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_engine_open(options.get(), &engine), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(kandinsky_last_error(), HasSubstr("model"));
  // Before the folder is looked at.
  EXPECT_EQ(kandinsky_engine_open(Options("engine").set("model_dir", "nowhere").get(), nullptr),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_folder_open("nowhere", nullptr), KANDINSKY_INVALID_ARGUMENT);
  const char* word = nullptr;
  EXPECT_EQ(kandinsky_folder_recognize(nullptr, &word, &word), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_folder_recognize(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1", nullptr, &word),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_folder_recognize(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1", &word, nullptr),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(word, nullptr);
  std::array<char, 65> digest{};
  EXPECT_EQ(kandinsky_folder_digest(nullptr, digest.data()), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_folder_digest(KANDINSKY_TINY_MODELS_DIR "/tiny-2-1", nullptr),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_folder_digest("nowhere", digest.data()), KANDINSKY_NOT_FOUND);
  EXPECT_EQ(digest[0], '\0');
  EXPECT_EQ(kandinsky_folder_open(nullptr, nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_engine_unload(nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_embeds_combine(nullptr, nullptr, 0, nullptr, "sum", nullptr),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_embeds_load(nullptr, nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_image_save(nullptr, nullptr, 1, 1, nullptr), KANDINSKY_INVALID_ARGUMENT);
  kandinsky_engine_free(nullptr);
  kandinsky_embeds_free(nullptr);
  kandinsky_folder_free(nullptr);
  kandinsky_engine_cancel(nullptr);
  EXPECT_EQ(engine, nullptr);
}

TEST(CApiTest, ErrorsNameTheThing) {
  const auto refused = [](const Options& options, kandinsky_status status, const char* word) {
    std::string message;
    EXPECT_EQ(status_of([&] { Engine engine(options); }, &message), status) << word;
    EXPECT_THAT(message, HasSubstr(word));
  };
  refused(model_options().set("model_dir", "/nowhere/at/all"), KANDINSKY_NOT_FOUND,
          "/nowhere/at/all");
  refused(model_options("toaster"), KANDINSKY_INVALID_ARGUMENT, "toaster");
  refused(model_options("cpu", "fp16"), KANDINSKY_UNSUPPORTED, "fp16");
  refused(model_options().set("model_dir", kModel + "-prior"), KANDINSKY_INVALID_ARGUMENT,
          "is a prior folder");
  refused(model_options().set("prior_dir", kModel), KANDINSKY_INCOMPATIBLE,
          "not a Kandinsky 2.1 prior");
}

TEST(CApiTest, FolderIsDescribedWithoutLoading) {
  const Folder folder(kModel);
  EXPECT_EQ(folder.pipeline(), "KandinskyPipeline");
  EXPECT_EQ(folder.family(), "kandinsky-2-1");
  EXPECT_GT(folder.native_size(), 0);
  std::map<std::string, kandinsky_component_info> by_name;
  for (const auto& info : folder.components()) by_name[info.name] = info;
  EXPECT_EQ(by_name.at("unet").parameters, 1'635'960U);
  EXPECT_STREQ(by_name.at("unet").dtype, "fp32");
  EXPECT_EQ(by_name.at("scheduler").parameters, 0U);
}

class EngineTest : public testing::Test {
 protected:
  Engine engine_{model_options()};
};

TEST_F(EngineTest, InfoSaysWhatWasChosen) {
  const kandinsky_engine_info info = engine_.info();
  EXPECT_STREQ(info.family, "kandinsky-2-1");
  EXPECT_STREQ(info.device, "cpu");
  EXPECT_STREQ(info.precision, "fp32");
  EXPECT_EQ(info.latent_channels, 4);
  EXPECT_EQ(info.latent_factor, 8);
  EXPECT_EQ(info.size_multiple, 64);
  EXPECT_THAT(info.prior_dir, HasSubstr("tiny-2-1-prior"));
}

TEST_F(EngineTest, ImageOfABatchIsTheImageAlone) {
  const Texts texts{"a cat", "a dog", "a cat"};
  const Pixels batch = text_to_image(engine_, job("text_to_image", texts, 7), 3 * kPixels);
  for (size_t i = 0; i < 3; ++i) {
    const Pixels alone = text_to_image(engine_, job("text_to_image", {texts[i]}, 7 + i));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                           batch.begin() + static_cast<std::ptrdiff_t>(i * kPixels)))
        << i;
  }
  EXPECT_FALSE(std::equal(batch.begin(), batch.begin() + kPixels, batch.begin() + 2 * kPixels))
      << "the seed has no effect";
}

TEST_F(EngineTest, StagesMakeTheSameImageAsTheTask) {
  const auto [embeds, negative] = engine_.encode_prompts(job("encode_prompts"));
  EXPECT_EQ(decode(engine_, denoise(engine_, embeds, negative)), text_to_image(engine_));
  EXPECT_EQ(generate(engine_, embeds, negative), text_to_image(engine_));
}

TEST_F(EngineTest, GivenNoiseTakesThePlaceOfTheSeeds) {
  const auto [embeds, negative] = engine_.encode_prompts(job("encode_prompts"));
  Options options = job("denoise");
  const Floats expected = denoise(engine_, embeds, negative, options);
  options.set("noise", Floats(kLatents, 0.25F), {1, 4, 8, 8});
  EXPECT_NE(denoise(engine_, embeds, negative, options), expected);
  options.set("noise", Floats(5), {1, 1, 1, 5});
  std::string message;
  EXPECT_EQ(status_of([&] { denoise(engine_, embeds, negative, options); }, &message),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(message, HasSubstr("[1, 1, 1, 5]"));
}

TEST_F(EngineTest, SizesAreRoundedUpInsideAndCroppedBack) {
  EXPECT_EQ(engine_.latent_size(70, 100), std::pair(16, 16));
  EXPECT_EQ(engine_.latent_size(1, 65), std::pair(8, 16));
  Options options = job("text_to_image");
  const Pixels cropped =
      text_to_image(engine_, options.set("width", 70).set("height", 100), size_t{70} * 100 * 3);
  const Pixels full =
      text_to_image(engine_, options.set("width", 128).set("height", 128), size_t{128} * 128 * 3);
  for (std::ptrdiff_t y = 0; y < 100; ++y) {
    const auto row = cropped.begin() + y * 70 * 3;
    EXPECT_TRUE(std::equal(row, row + 70 * 3, full.begin() + y * 128 * 3)) << y;
  }
}

TEST_F(EngineTest, NegativePromptAbsentAndEmptyDifferOnTheImageSideOfThePrior) {
  for (const std::string image : {"zero", "prior"}) {
    Options options = job("text_to_image");
    const Pixels absent = text_to_image(engine_, options.set("negative_image", image));
    const Pixels empty = text_to_image(engine_, options.set("negative_prompts", Texts{""}));
    EXPECT_EQ(absent == empty, image == "zero") << image;
  }
}

TEST_F(EngineTest, EncodeAndDecodeTakeAnySize) {
  const Pixels image(size_t{30} * 50 * 3, 90);
  Options options = job("encode");
  const Floats latents = encode(engine_, image, options.set("width", 30).set("height", 50));
  options = job("decode");
  EXPECT_NO_THROW(
      decode(engine_, latents, options.set("width", 30).set("height", 50), image.size()));
}

TEST_F(EngineTest, ProgressCountsEveryStage) {
  std::map<std::string, std::vector<std::pair<int, int>>> seen;
  bool has_latents = true;
  engine_.set_progress([&](const kandinsky_progress& progress) {
    seen[progress.stage].emplace_back(progress.step, progress.steps);
    if (std::string(progress.stage) == "denoise" && progress.step > 0) {
      has_latents = has_latents && progress.latents != nullptr && progress.shape[0] == 2 &&
                    progress.shape[3] == 8 && std::isfinite(progress.latents[0]);
    } else {
      has_latents = has_latents && progress.latents == nullptr;
    }
    return KANDINSKY_CONTINUE;
  });
  text_to_image(engine_, job("text_to_image", {"a", "b"}), 2 * kPixels);
  using Steps = std::vector<std::pair<int, int>>;
  EXPECT_EQ(seen.at("prior"), (Steps{{0, 6}, {2, 6}, {4, 6}, {6, 6}}));
  EXPECT_EQ(seen.at("denoise"), (Steps{{0, 3}, {1, 3}, {2, 3}, {3, 3}}));
  // Both images may be decoded at once.
  EXPECT_EQ(seen.at("decode").front(), (std::pair{0, 2}));
  EXPECT_EQ(seen.at("decode").back(), (std::pair{2, 2}));
  EXPECT_TRUE(seen.contains("text_encoder"));
  EXPECT_TRUE(seen.contains("load"));
  EXPECT_TRUE(has_latents);
}

TEST_F(EngineTest, CanBeCancelledAtEveryCallAndStaysUsable) {
  const auto expected = text_to_image(engine_);
  cancel_at_every_call(engine_, [&] { text_to_image(engine_); });
  EXPECT_EQ(text_to_image(engine_), expected);
}

TEST_F(EngineTest, FinishEndsALoopWithAnImage) {
  int steps = 0;
  engine_.set_progress([&](const kandinsky_progress& progress) {
    if (std::string(progress.stage) != "denoise") return KANDINSKY_CONTINUE;
    steps = progress.step;
    return progress.step == 1 ? KANDINSKY_FINISH : KANDINSKY_CONTINUE;
  });
  text_to_image(engine_);
  EXPECT_EQ(steps, 1);
}

TEST_F(EngineTest, FinishEndsThePriorOfAllImages) {
  std::vector<int> steps;
  engine_.set_progress([&](const kandinsky_progress& progress) {
    if (std::string(progress.stage) != "prior") return KANDINSKY_CONTINUE;
    steps.push_back(progress.step);
    return progress.step > 0 ? KANDINSKY_FINISH : KANDINSKY_CONTINUE;
  });
  text_to_image(engine_, job("text_to_image", {"a cat", "a dog"}), 2 * kPixels);
  EXPECT_EQ(steps, (std::vector{0, 2})) << "a step of both";
}

TEST_F(EngineTest, AMissingPlaceForTheResultIsToldBeforeTheWork) {
  int calls = 0;
  engine_.set_progress([&](const kandinsky_progress&) {
    ++calls;
    return KANDINSKY_CONTINUE;
  });
  const Pixels image(kPixels);
  std::string message;
  EXPECT_EQ(
      status_of([&] { engine_.encode(job("encode"), image.data(), kPixels, nullptr, kLatents); },
                &message),
      KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(message, HasSubstr("latents"));
  EXPECT_EQ(calls, 0);
}

TEST_F(EngineTest, CancelFromAnotherThreadEndsTheJob) {
  std::atomic<bool> started{false};
  engine_.set_progress([&](const kandinsky_progress&) {
    started = true;
    return KANDINSKY_CONTINUE;
  });
  std::thread other([&] {
    while (!started) std::this_thread::yield();
    engine_.cancel();
  });
  Options endless = job("text_to_image");
  endless.set("num_inference_steps", 999);
  EXPECT_EQ(status_of([&] { text_to_image(engine_, endless); }), KANDINSKY_CANCELLED);
  other.join();
}

TEST_F(EngineTest, ACancelThatComesBeforeTheThreadsJobEndsIt) {
  Options endless = job("text_to_image");
  endless.set("num_inference_steps", 999);
  for (int i = 0; i < 20; ++i) {
    std::thread worker([&] {
      EXPECT_EQ(status_of([&] { text_to_image(engine_, endless); }), KANDINSKY_CANCELLED);
    });
    engine_.cancel();
    worker.join();
  }
  engine_.cancel();
  EXPECT_EQ(status_of([&] { text_to_image(engine_); }), KANDINSKY_OK) << "this thread's own wish";
  engine_.cancel();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  std::thread([&] {
    EXPECT_EQ(status_of([&] { text_to_image(engine_); }), KANDINSKY_OK) << "too late";
  }).join();
}

TEST_F(EngineTest, AJobInAForkedChildIsRefusedAtOnceAndTheParentGoesOn) {
  const auto expected = text_to_image(engine_);
  std::atomic<bool> is_busy = false;
  Options endless = job("text_to_image");
  endless.set("num_inference_steps", 999);
  for (const bool while_working : {false, true}) {
    std::thread worker;
    if (while_working) {
      engine_.set_progress([&](const kandinsky_progress&) {
        is_busy = true;
        return KANDINSKY_CONTINUE;
      });
      worker = std::thread([&] { status_of([&] { text_to_image(engine_, endless); }); });
      while (!is_busy) std::this_thread::yield();
    }
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      std::string message;
      const kandinsky_status status =
          status_of([&] { encode(engine_, Pixels(kPixels)); }, &message);
      const bool is_told = message.find("forked") != std::string::npos;
      engine_.cancel();
      ::_exit(status == KANDINSKY_INCOMPATIBLE && is_told ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << while_working;
    if (!while_working) continue;
    engine_.cancel();
    worker.join();
    engine_.set_progress(nullptr);
  }
  EXPECT_EQ(text_to_image(engine_), expected);
}

TEST_F(EngineTest, AMessagesExceptionEndsTheJobWithoutAProgressCallbackToo) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "word ";
  engine_.set_message([](const char*) { throw std::domain_error("mine"); });
  Options endless = job("text_to_image", {text});
  endless.set("num_inference_steps", 999).set("width", 256).set("height", 256);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(text_to_image(engine_, endless, 16 * kPixels), std::domain_error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  engine_.set_message(nullptr);
  EXPECT_NO_THROW(text_to_image(engine_, job("text_to_image", {text})));
}

TEST_F(EngineTest, LatentsThatAreNoneAreNotBlamedOnTheWeights) {
  for (const float odd : {1e20F, 3e38F, INFINITY, NAN}) {
    std::string message;
    EXPECT_EQ(status_of([&] { decode(engine_, Floats(kLatents, odd)); }, &message),
              KANDINSKY_INVALID_ARGUMENT);
    EXPECT_THAT(message, HasSubstr("latents"));
  }
}

TEST_F(EngineTest, ASecondJobIsAnsweredBusy) {
  kandinsky_status inner = KANDINSKY_OK;
  kandinsky_status unload = KANDINSKY_OK;
  engine_.set_progress([&](const kandinsky_progress&) {
    inner = status_of([&] { encode(engine_, Pixels(kPixels)); });
    unload = status_of([&] { engine_.unload(); });
    return KANDINSKY_CONTINUE;
  });
  text_to_image(engine_);
  EXPECT_EQ(inner, KANDINSKY_BUSY);
  EXPECT_EQ(unload, KANDINSKY_BUSY);
}

TEST_F(EngineTest, ACallbacksExceptionComesOutUnchanged) {
  engine_.set_progress(
      [](const kandinsky_progress&) -> kandinsky_action { throw std::domain_error("mine"); });
  EXPECT_THROW(text_to_image(engine_), std::domain_error);
}

TEST_F(EngineTest, WorksOnAnyThreadAndAfterUnloading) {
  const auto expected = text_to_image(engine_);
  engine_.unload();
  Pixels there;
  std::thread([&] { there = text_to_image(engine_); }).join();
  EXPECT_EQ(there, expected);
}

TEST_F(EngineTest, WrongSettingsAreRefusedBeforeAnyStep) {
  int calls = 0;
  engine_.set_progress([&](const kandinsky_progress&) {
    ++calls;
    return KANDINSKY_CONTINUE;
  });
  const auto refused = [&](const char* word, const std::function<void(Options&)>& spoil) {
    std::string message;
    EXPECT_EQ(status_of(
                  [&] {
                    Options options = job("text_to_image");
                    spoil(options);
                    text_to_image(engine_, options);
                  },
                  &message),
              KANDINSKY_INVALID_ARGUMENT)
        << word;
    EXPECT_THAT(message, HasSubstr(word));
  };
  for (const auto& [name, values] :
       {std::pair("num_inference_steps", std::vector{0., -1., 5000.}),
        std::pair("prior_num_inference_steps", std::vector{0., 1., 5000.}),
        std::pair("width", std::vector{0., -8., 20000.}),
        std::pair("height", std::vector{0., -8., 20000.})}) {
    for (const double value : values)
      refused(name, [&](Options& o) { o.set(name, static_cast<int64_t>(value)); });
  }
  for (const char* name : {"guidance_scale", "prior_guidance_scale"}) {
    for (const double scale : {-1.0, 1e9, std::nan("")})
      refused(name, [&](Options& o) { o.set(name, scale); });
  }
  refused("expected one of", [](Options& o) { o.set("sampler", "Sketch"); });
  refused("seeds: none are given", [](Options& o) { o.set("seeds", Seeds{}); });
  refused("steps", [](Options& o) { o.set("num_inference_steps", 1000); });
  refused("prompts[0] is not UTF-8", [](Options& o) { o.set("prompts", Texts{"a \xff cat"}); });
  EXPECT_EQ(calls, 0);
}

TEST_F(EngineTest, AVeryLongPromptIsCutAndSaidSo) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "word ";
  Texts messages;
  engine_.set_message([&](const char* message) { messages.emplace_back(message); });
  text_to_image(engine_, job("text_to_image", {text}));
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_THAT(messages[0], HasSubstr("left out"));
  EXPECT_LT(messages[0].size(), 300U);
}

TEST_F(EngineTest, EmbedsAreKeptCombinedAndSaved) {
  const TempFolder folder;
  const auto [a, negative] = engine_.encode_prompts(job("encode_prompts"));
  const auto [b, unused] = engine_.encode_prompts(job("encode_prompts", {"a dog"}));
  a.save(folder.path("a.safetensors"));
  const Embeds again = Embeds::load(folder.path("a.safetensors"));
  EXPECT_EQ(denoise(engine_, again, negative), denoise(engine_, a, negative));

  const Embeds alone = Embeds::combine({&a, &b}, {1.0, 0.0});
  int64_t shape[3];
  const float* mixed = alone.tensor("image_embeds", shape);
  const float* pure = a.tensor("image_embeds", shape);
  for (int64_t i = 0; i < shape[1]; ++i) EXPECT_EQ(mixed[i], pure[i]);
  EXPECT_EQ(status_of([&] {
              Embeds::combine({&a, &b}, {1.0, std::nan("")});
            }),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(status_of([&] { Embeds::combine({}, {}); }), KANDINSKY_INVALID_ARGUMENT);

  std::string message;
  folder.write("broken.safetensors", "this is no tensor file at all");
  EXPECT_EQ(status_of([&] { Embeds::load(folder.path("broken.safetensors")); }, &message),
            KANDINSKY_CORRUPT_FILE);
  EXPECT_THAT(message, HasSubstr("broken.safetensors"));
}

TEST_F(EngineTest, GuidanceOffNeedsNoNegative) {
  const auto [embeds, negative] = engine_.encode_prompts(job("encode_prompts"));
  Options options = job("denoise");
  EXPECT_EQ(status_of([&] { denoise(engine_, embeds, Embeds(), options); }),
            KANDINSKY_INVALID_ARGUMENT);
  options.set("guidance_scale", 1);
  EXPECT_EQ(denoise(engine_, embeds, Embeds(), options),
            denoise(engine_, embeds, negative, options));
}

TEST_F(EngineTest, BrainFloatComesClose) {
  Engine coarse(model_options("cpu", "bf16"));
  const Pixels exact = text_to_image(engine_);
  const Pixels rounded = text_to_image(coarse);
  double squares = 0;
  for (size_t i = 0; i < exact.size(); ++i)
    squares += std::pow(double(exact[i]) - double(rounded[i]), 2);
  // Random weights amplify rounding; a wrong path would be below 20 dB.
  EXPECT_GT(10 * std::log10(255.0 * 255.0 * static_cast<double>(exact.size()) / squares), 25.0);
}

}  // namespace
}  // namespace kandinsky::test
