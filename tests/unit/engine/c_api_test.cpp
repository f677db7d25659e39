/// The C interface with real, very small models: jobs, callbacks, cancelling, and what happens to
/// wrong arguments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "kandinsky.hpp"
#include "unit/support.h"

namespace {

using kandinsky::DenoiseOptions;
using kandinsky::Embeds;
using kandinsky::Engine;
using kandinsky::PromptOptions;
using kandinsky::StatusError;
using testing::HasSubstr;

const std::string kModel = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1";

PromptOptions prompts(const std::vector<std::string>& texts, uint64_t seed = 1) {
  PromptOptions options;
  options.prompts = texts;
  for (size_t i = 0; i < texts.size(); ++i) options.seeds.push_back(seed + i);
  options.prior_num_inference_steps = 3;
  return options;
}

DenoiseOptions denoise(size_t batch_size, uint64_t seed = 1) {
  DenoiseOptions options;
  options.width = 64;
  options.height = 64;
  options.num_inference_steps = 3;
  for (size_t i = 0; i < batch_size; ++i) options.seeds.push_back(seed + i);
  return options;
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

TEST(CApiTest, NamesAreThere) {
  EXPECT_THAT(kandinsky::sampler_names(), testing::Contains("DDIM"));
  EXPECT_THAT(kandinsky::family_names(), testing::Contains("kandinsky-2-1"));
  EXPECT_EQ(kandinsky_sampler_name(kandinsky_sampler_count()), nullptr);
  EXPECT_EQ(kandinsky_family_name(kandinsky_family_count()), nullptr);
  EXPECT_THAT(kandinsky::scheduler_names(), testing::Contains("Automatic"));
  EXPECT_EQ(kandinsky::scheduler_names().size(), kandinsky::scheduler_descriptions().size());
  EXPECT_EQ(kandinsky_scheduler_name(kandinsky_scheduler_count()), nullptr);
  EXPECT_EQ(kandinsky_scheduler_description(kandinsky_scheduler_count()), nullptr);
  EXPECT_STREQ(kandinsky_status_name(KANDINSKY_OK), "ok");
  EXPECT_STREQ(kandinsky_status_name(KANDINSKY_NOT_FOUND), "not found");
  EXPECT_THAT(kandinsky_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST(CApiTest, NullIsAnAnswerNotACrash) {
  kandinsky_engine_options options;
  kandinsky_engine_options_init(&options);
  kandinsky_engine* engine = nullptr;
  EXPECT_EQ(kandinsky_engine_open(nullptr, &engine), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_engine_open(&options, &engine), KANDINSKY_INVALID_ARGUMENT);
  // Before the folder is looked at.
  options.model_dir = "nowhere";
  EXPECT_EQ(kandinsky_engine_open(&options, nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_folder_open("nowhere", nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_folder_open(nullptr, nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_engine_unload(nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_embeds_combine(nullptr, nullptr, 0, nullptr, "sum", nullptr),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_embeds_load(nullptr, nullptr), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_EQ(kandinsky_picture_save(nullptr, nullptr, 1, 1, nullptr), KANDINSKY_INVALID_ARGUMENT);
  kandinsky_engine_free(nullptr);
  kandinsky_embeds_free(nullptr);
  kandinsky_folder_free(nullptr);
  kandinsky_engine_cancel(nullptr);
  EXPECT_EQ(engine, nullptr);
}

TEST(CApiTest, StructsOfAnotherSizeAreToldApart) {
  kandinsky_engine_options options;
  kandinsky_engine_options_init(&options);
  const std::string model = kModel;
  options.model_dir = model.c_str();
  kandinsky_engine* engine = nullptr;
  options.struct_size = 0;
  EXPECT_EQ(kandinsky_engine_open(&options, &engine), KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(kandinsky_last_error(), HasSubstr("_init"));
  options.struct_size = sizeof(options) + 8;
  EXPECT_EQ(kandinsky_engine_open(&options, &engine), KANDINSKY_INCOMPATIBLE);
}

TEST(CApiTest, ErrorsNameTheThing) {
  std::string message;
  EXPECT_EQ(status_of([] { Engine({.model_dir = "/nowhere/at/all"}); }, &message),
            KANDINSKY_NOT_FOUND);
  EXPECT_THAT(message, HasSubstr("/nowhere/at/all"));
  EXPECT_EQ(status_of([] { Engine({.model_dir = kModel, .device = "toaster"}); }, &message),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(message, HasSubstr("toaster"));
  EXPECT_EQ(status_of([] { Engine({.model_dir = kModel, .device = "cpu", .precision = "fp16"}); }),
            KANDINSKY_UNSUPPORTED);
  EXPECT_EQ(status_of([] { Engine({.model_dir = kModel + "-prior"}); }, &message),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(message, HasSubstr("is a prior folder"));
  EXPECT_EQ(status_of([] { Engine({.model_dir = kModel, .prior_dir = kModel}); }, &message),
            KANDINSKY_INCOMPATIBLE);
  EXPECT_THAT(message, HasSubstr("no Kandinsky 2.1 prior"));
}

TEST(CApiTest, FolderIsDescribedWithoutLoading) {
  const kandinsky::Folder folder(kModel);
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
  Engine engine_{{.model_dir = kModel, .device = "cpu", .precision = "fp32"}};
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

TEST_F(EngineTest, PictureOfABatchIsThePictureAlone) {
  const auto batch = engine_.text_to_image(prompts({"a cat", "a dog", "a cat"}, 7), denoise(3, 7));
  const size_t one = 64 * 64 * 3;
  const std::vector<std::string> texts{"a cat", "a dog", "a cat"};
  for (size_t i = 0; i < 3; ++i) {
    const auto alone = engine_.text_to_image(prompts({texts[i]}, 7 + i), denoise(1, 7 + i));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                           batch.begin() + static_cast<std::ptrdiff_t>(i * one)))
        << i;
  }
  EXPECT_FALSE(std::equal(batch.begin(), batch.begin() + one, batch.begin() + 2 * one))
      << "the seed has no effect";
}

TEST_F(EngineTest, StagesMakeTheSamePictureAsTheTask) {
  const auto [embeds, negative] = engine_.encode_prompts(prompts({"a cat"}));
  const auto latents = engine_.denoise(embeds, negative, denoise(1));
  EXPECT_EQ(engine_.decode(latents, 1, 64, 64),
            engine_.text_to_image(prompts({"a cat"}), denoise(1)));
}

TEST_F(EngineTest, GivenNoiseOfTheSeedIsTheSeedsPicture) {
  const auto [embeds, negative] = engine_.encode_prompts(prompts({"a cat"}));
  DenoiseOptions options = denoise(1);
  const auto expected = engine_.denoise(embeds, negative, options);
  options.noise.assign(4 * 8 * 8, 0.25F);
  EXPECT_NE(engine_.denoise(embeds, negative, options), expected);
  options.noise.resize(5);
  EXPECT_EQ(status_of([&] { engine_.denoise(embeds, negative, options); }),
            KANDINSKY_INVALID_ARGUMENT);
}

TEST_F(EngineTest, SizesAreRoundedUpInsideAndCroppedBack) {
  EXPECT_EQ(engine_.latent_size(70, 100), std::pair(16, 16));
  EXPECT_EQ(engine_.latent_size(1, 65), std::pair(8, 16));
  DenoiseOptions odd = denoise(1);
  odd.width = 70;
  odd.height = 100;
  DenoiseOptions whole = odd;
  whole.width = whole.height = 128;
  const auto cropped = engine_.text_to_image(prompts({"a cat"}), odd);
  const auto full = engine_.text_to_image(prompts({"a cat"}), whole);
  for (size_t y = 0; y < 100; ++y) {
    const auto row = cropped.begin() + static_cast<std::ptrdiff_t>(y * 70 * 3);
    EXPECT_TRUE(
        std::equal(row, row + 70 * 3, full.begin() + static_cast<std::ptrdiff_t>(y * 128 * 3)))
        << y;
  }
}

TEST_F(EngineTest, NegativePromptAbsentAndEmptyDifferOnTheImageSideOfThePrior) {
  for (const std::string image : {"zero", "prior"}) {
    PromptOptions absent = prompts({"a cat"});
    absent.negative_image = image;
    PromptOptions empty = absent;
    empty.negative_prompts = std::vector<std::string>{""};
    EXPECT_EQ(engine_.text_to_image(absent, denoise(1)) == engine_.text_to_image(empty, denoise(1)),
              image == "zero")
        << image;
  }
}

TEST_F(EngineTest, EncodeAndDecodeKeepShapes) {
  std::vector<uint8_t> picture(30 * 50 * 3, 90);
  const auto latents = engine_.encode(picture, 1, 30, 50);
  EXPECT_EQ(latents.size(), 4U * 8 * 8);
  EXPECT_EQ(engine_.decode(latents, 1, 30, 50).size(), picture.size());
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
  engine_.text_to_image(prompts({"a", "b"}), denoise(2));
  using Steps = std::vector<std::pair<int, int>>;
  EXPECT_EQ(seen.at("prior"), (Steps{{0, 6}, {1, 6}, {2, 6}, {3, 6}, {4, 6}, {5, 6}, {6, 6}}));
  EXPECT_EQ(seen.at("denoise"), (Steps{{0, 3}, {1, 3}, {2, 3}, {3, 3}}));
  // Both images may be decoded at once.
  EXPECT_EQ(seen.at("decode").front(), (std::pair{0, 2}));
  EXPECT_EQ(seen.at("decode").back(), (std::pair{2, 2}));
  EXPECT_TRUE(seen.contains("text_encoder"));
  EXPECT_TRUE(seen.contains("load"));
  EXPECT_TRUE(has_latents);
}

TEST_F(EngineTest, CanBeCancelledAtEveryCallAndStaysUsable) {
  const auto expected = engine_.text_to_image(prompts({"a cat"}), denoise(1));
  int calls = 0;
  engine_.set_progress([&](const kandinsky_progress&) {
    ++calls;
    return KANDINSKY_CONTINUE;
  });
  engine_.text_to_image(prompts({"a cat"}), denoise(1));
  const int all = calls;
  ASSERT_GT(all, 8);
  for (int stop_at = 1; stop_at <= all; ++stop_at) {
    int call = 0;
    engine_.set_progress([&](const kandinsky_progress&) {
      return ++call == stop_at ? KANDINSKY_CANCEL : KANDINSKY_CONTINUE;
    });
    EXPECT_EQ(status_of([&] { engine_.text_to_image(prompts({"a cat"}), denoise(1)); }),
              KANDINSKY_CANCELLED)
        << stop_at;
    EXPECT_EQ(call, stop_at);
  }
  engine_.set_progress(nullptr);
  EXPECT_EQ(engine_.text_to_image(prompts({"a cat"}), denoise(1)), expected);
}

TEST_F(EngineTest, FinishEndsALoopWithAPicture) {
  int steps = 0;
  engine_.set_progress([&](const kandinsky_progress& progress) {
    if (std::string(progress.stage) != "denoise") return KANDINSKY_CONTINUE;
    steps = progress.step;
    return progress.step == 1 ? KANDINSKY_FINISH : KANDINSKY_CONTINUE;
  });
  EXPECT_EQ(engine_.text_to_image(prompts({"a cat"}), denoise(1)).size(), 64U * 64 * 3);
  EXPECT_EQ(steps, 1);
}

TEST_F(EngineTest, FinishEndsThePriorOfAllPictures) {
  std::vector<int> steps;
  engine_.set_progress([&](const kandinsky_progress& progress) {
    if (std::string(progress.stage) != "prior") return KANDINSKY_CONTINUE;
    steps.push_back(progress.step);
    return progress.step == 1 ? KANDINSKY_FINISH : KANDINSKY_CONTINUE;
  });
  EXPECT_EQ(engine_.text_to_image(prompts({"a cat", "a dog"}), denoise(2)).size(),
            2U * 64 * 64 * 3);
  EXPECT_EQ(steps, (std::vector{0, 1}));
}

TEST(CApiTest, AMissingPlaceForTheResultIsToldBeforeTheWork) {
  kandinsky_engine_options options;
  kandinsky_engine_options_init(&options);
  options.model_dir = kModel.c_str();
  kandinsky_engine* engine = nullptr;
  ASSERT_EQ(kandinsky_engine_open(&options, &engine), KANDINSKY_OK) << kandinsky_last_error();
  int calls = 0;
  const auto count = [](const kandinsky_progress*, void* user_data) {
    ++*static_cast<int*>(user_data);
    return KANDINSKY_CONTINUE;
  };
  EXPECT_EQ(kandinsky_engine_set_progress(engine, count, &calls), KANDINSKY_OK);
  kandinsky_decode_options encoding;
  kandinsky_decode_options_init(&encoding);
  encoding.batch_size = 1;
  encoding.width = encoding.height = 64;
  const std::vector<uint8_t> picture(size_t{64} * 64 * 3);
  EXPECT_EQ(kandinsky_encode(engine, &encoding, picture.data(), picture.size(), nullptr,
                             size_t{4} * 8 * 8),
            KANDINSKY_INVALID_ARGUMENT);
  EXPECT_THAT(kandinsky_last_error(), HasSubstr("latents"));
  EXPECT_EQ(calls, 0);
  kandinsky_engine_free(engine);
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
  DenoiseOptions endless = denoise(1);
  endless.num_inference_steps = 999;
  EXPECT_EQ(status_of([&] { engine_.text_to_image(prompts({"a cat"}), endless); }),
            KANDINSKY_CANCELLED);
  other.join();
}

TEST_F(EngineTest, ACancelThatComesBeforeTheThreadsJobEndsIt) {
  DenoiseOptions endless = denoise(1);
  endless.num_inference_steps = 999;
  for (int i = 0; i < 20; ++i) {
    std::thread worker([&] {
      EXPECT_EQ(status_of([&] { engine_.text_to_image(prompts({"a cat"}), endless); }),
                KANDINSKY_CANCELLED);
    });
    engine_.cancel();
    worker.join();
  }
  engine_.cancel();
  EXPECT_EQ(status_of([&] { engine_.text_to_image(prompts({"a cat"}), denoise(1)); }), KANDINSKY_OK)
      << "this thread's own wish";
  engine_.cancel();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  std::thread([&] {
    EXPECT_EQ(status_of([&] { engine_.text_to_image(prompts({"a cat"}), denoise(1)); }),
              KANDINSKY_OK)
        << "too late";
  }).join();
}

TEST_F(EngineTest, AJobInAForkedChildIsRefusedAtOnceAndTheParentGoesOn) {
  const auto expected = engine_.text_to_image(prompts({"a cat"}), denoise(1));
  std::atomic<bool> is_busy = false;
  DenoiseOptions endless = denoise(1);
  endless.num_inference_steps = 999;
  for (const bool while_working : {false, true}) {
    std::thread worker;
    if (while_working) {
      engine_.set_progress([&](const kandinsky_progress&) {
        is_busy = true;
        return KANDINSKY_CONTINUE;
      });
      worker = std::thread(
          [&] { status_of([&] { engine_.text_to_image(prompts({"a cat"}), endless); }); });
      while (!is_busy) std::this_thread::yield();
    }
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      std::string message;
      const kandinsky_status status = status_of(
          [&] { engine_.encode(std::vector<uint8_t>(64 * 64 * 3), 1, 64, 64); }, &message);
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
  EXPECT_EQ(engine_.text_to_image(prompts({"a cat"}), denoise(1)), expected);
}

TEST_F(EngineTest, AMessagesExceptionEndsTheJobWithoutAProgressCallbackToo) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "word ";
  engine_.set_message([](const char*) { throw std::domain_error("mine"); });
  DenoiseOptions endless = denoise(1);
  endless.num_inference_steps = 999;
  endless.width = endless.height = 256;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(engine_.text_to_image(prompts({text}), endless), std::domain_error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  engine_.set_message(nullptr);
  EXPECT_EQ(status_of([&] { engine_.text_to_image(prompts({text}), denoise(1)); }), KANDINSKY_OK);
}

TEST_F(EngineTest, LatentsThatAreNoneAreNotBlamedOnTheWeights) {
  const auto [embeds, negative] = engine_.encode_prompts(prompts({"a cat"}));
  for (const float odd : {1e20F, 3e38F, INFINITY, NAN}) {
    std::string message;
    DenoiseOptions options = denoise(1);
    options.init_latents.assign(4 * 8 * 8, odd);
    EXPECT_EQ(status_of([&] { engine_.denoise(embeds, negative, options); }, &message),
              KANDINSKY_INVALID_ARGUMENT);
    EXPECT_THAT(message, HasSubstr("init_latents"));
    EXPECT_EQ(status_of([&] { engine_.decode(options.init_latents, 1, 64, 64); }, &message),
              KANDINSKY_INVALID_ARGUMENT);
    EXPECT_THAT(message, HasSubstr("latents"));
  }
}

TEST_F(EngineTest, ASecondJobIsAnsweredBusy) {
  kandinsky_status inner = KANDINSKY_OK;
  kandinsky_status unload = KANDINSKY_OK;
  engine_.set_progress([&](const kandinsky_progress&) {
    inner = status_of([&] { engine_.encode(std::vector<uint8_t>(64 * 64 * 3), 1, 64, 64); });
    unload = status_of([&] { engine_.unload(); });
    return KANDINSKY_CONTINUE;
  });
  engine_.text_to_image(prompts({"a cat"}), denoise(1));
  EXPECT_EQ(inner, KANDINSKY_BUSY);
  EXPECT_EQ(unload, KANDINSKY_BUSY);
}

TEST_F(EngineTest, ACallbacksExceptionComesOutUnchanged) {
  engine_.set_progress(
      [](const kandinsky_progress&) -> kandinsky_action { throw std::domain_error("mine"); });
  EXPECT_THROW(engine_.text_to_image(prompts({"a cat"}), denoise(1)), std::domain_error);
}

TEST_F(EngineTest, WorksOnAnyThreadAndAfterUnloading) {
  const auto expected = engine_.text_to_image(prompts({"a cat"}), denoise(1));
  engine_.unload();
  std::vector<uint8_t> there;
  std::thread([&] { there = engine_.text_to_image(prompts({"a cat"}), denoise(1)); }).join();
  EXPECT_EQ(there, expected);
}

TEST_F(EngineTest, WrongSettingsAreRefusedBeforeAnyStep) {
  int calls = 0;
  engine_.set_progress([&](const kandinsky_progress&) {
    ++calls;
    return KANDINSKY_CONTINUE;
  });
  const auto refused = [&](const std::function<void(PromptOptions&, DenoiseOptions&)>& spoil,
                           const char* word) {
    PromptOptions text = prompts({"a cat"});
    DenoiseOptions options = denoise(1);
    spoil(text, options);
    std::string message;
    EXPECT_EQ(status_of([&] { engine_.text_to_image(text, options); }, &message),
              KANDINSKY_INVALID_ARGUMENT)
        << word;
    EXPECT_THAT(message, HasSubstr(word));
  };
  for (const int steps : {0, -1, 1000, 5000}) {
    refused([&](PromptOptions&, DenoiseOptions& o) { o.num_inference_steps = steps; }, "steps");
  }
  for (const int steps : {0, 1, 5000}) {
    refused([&](PromptOptions& p, DenoiseOptions&) { p.prior_num_inference_steps = steps; },
            "prior steps");
  }
  for (const int side : {0, -8, 20000}) {
    refused([&](PromptOptions&, DenoiseOptions& o) { o.width = side; }, "width");
    refused([&](PromptOptions&, DenoiseOptions& o) { o.height = side; }, "height");
  }
  for (const double scale : {-1.0, 1e9, std::nan("")}) {
    refused([&](PromptOptions&, DenoiseOptions& o) { o.guidance_scale = scale; }, "guidance scale");
    refused([&](PromptOptions& p, DenoiseOptions&) { p.prior_guidance_scale = scale; },
            "prior guidance scale");
  }
  refused([](PromptOptions&, DenoiseOptions& o) { o.sampler = "Sketch"; }, "known are");
  refused([](PromptOptions&, DenoiseOptions& o) { o.seeds.clear(); }, "batch size");
  EXPECT_EQ(calls, 0);
  refused([](PromptOptions& p, DenoiseOptions&) { p.prompts = {"a \xff cat"}; }, "UTF-8");
}

TEST_F(EngineTest, AVeryLongPromptIsCutAndSaidSo) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "word ";
  std::vector<std::string> messages;
  engine_.set_message([&](const char* message) { messages.emplace_back(message); });
  engine_.text_to_image(prompts({text}), denoise(1));
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_THAT(messages[0], HasSubstr("left out"));
  EXPECT_LT(messages[0].size(), 300U);
}

TEST_F(EngineTest, EmbedsAreKeptCombinedAndSaved) {
  const kandinsky::test::TempFolder folder;
  const auto [a, negative] = engine_.encode_prompts(prompts({"a cat"}));
  const auto [b, unused] = engine_.encode_prompts(prompts({"a dog"}));
  a.save(folder.path("a.safetensors"));
  const Embeds again = Embeds::load(folder.path("a.safetensors"));
  EXPECT_EQ(engine_.denoise(again, negative, denoise(1)), engine_.denoise(a, negative, denoise(1)));

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
  const auto [embeds, negative] = engine_.encode_prompts(prompts({"a cat"}));
  DenoiseOptions options = denoise(1);
  EXPECT_EQ(status_of([&] { engine_.denoise(embeds, Embeds(), options); }),
            KANDINSKY_INVALID_ARGUMENT);
  options.guidance_scale = 1.0;
  EXPECT_EQ(engine_.denoise(embeds, Embeds(), options), engine_.denoise(embeds, negative, options));
}

TEST_F(EngineTest, BrainFloatComesClose) {
  Engine coarse({.model_dir = kModel, .device = "cpu", .precision = "bf16"});
  const auto exact = engine_.text_to_image(prompts({"a cat"}), denoise(1));
  const auto rounded = coarse.text_to_image(prompts({"a cat"}), denoise(1));
  double squares = 0;
  for (size_t i = 0; i < exact.size(); ++i)
    squares += std::pow(double(exact[i]) - double(rounded[i]), 2);
  // Random weights amplify rounding; a wrong path would be below 20 dB.
  EXPECT_GT(10 * std::log10(255.0 * 255.0 * static_cast<double>(exact.size()) / squares), 25.0);
}

}  // namespace
