#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "parity/reference.h"

namespace kandinsky::parity {
namespace {

/// What one job asks for: the recorded cases as one batch. They agree on all but texts and seeds.
struct Job {
  PromptRequest prompts;
  DenoiseRequest denoise;
};

Job read_job(const Reference& reference, const std::vector<std::string>& names) {
  Job job;
  for (const std::string& name : names) {
    job.prompts.prompts.push_back(reference.text(name + "/prompt"));
    if (reference.has(name + "/negative_prompt"))
      job.prompts.negative_prompts.push_back(reference.text(name + "/negative_prompt"));
    job.prompts.seeds.push_back(static_cast<uint64_t>(reference.integer(name + "/seed")));
  }
  const std::string& first = names.front();
  job.prompts.prior_num_inference_steps =
      static_cast<int>(reference.integer(first + "/prior_num_inference_steps"));
  job.prompts.prior_guidance_scale = reference.real(first + "/prior_guidance_scale");
  job.prompts.negative_image = NegativeImage::kPrior;
  job.denoise.seeds = job.prompts.seeds;
  job.denoise.width = static_cast<int>(reference.integer(first + "/width"));
  job.denoise.height = static_cast<int>(reference.integer(first + "/height"));
  job.denoise.num_inference_steps =
      static_cast<int>(reference.integer(first + "/num_inference_steps"));
  job.denoise.guidance_scale = reference.real(first + "/guidance_scale");
  return job;
}

engine::Engine open_engine(const std::string& folder) {
  EngineOptions options;
  options.model_dir = folder;
  options.device = "cpu";
  options.precision = "fp32";
  return engine::Engine(options);
}

/// uint8 [B, height, width, 3]
at::Tensor generate(engine::Engine& engine, const Job& job) {
  at::Tensor images = at::empty(
      {static_cast<int64_t>(job.denoise.seeds.size()), job.denoise.height, job.denoise.width, 3},
      at::kByte);
  engine.text_to_image(job.prompts, job.denoise, images.mutable_data_ptr<uint8_t>());
  return images;
}

/// The reference returns sizes rounded up; ours are its top left corner.
at::Tensor recorded_image(const Reference& reference, const std::string& name) {
  const int64_t height = reference.integer(name + "/height");
  const int64_t width = reference.integer(name + "/width");
  return reference.tensor(name + "/image").slice(0, 0, height).slice(1, 0, width);
}

void expect_reference_runs(const std::string& folder, const Reference& reference) {
  engine::Engine engine = open_engine(folder);
  for (const std::string& name : reference.cases()) {
    const Job job = read_job(reference, {name});
    const pipelines::Pipeline::EncodedPrompts encoded = engine.encode_prompts(job.prompts);
    expect_close(kTextToImageEmbeds, name + " image_embeds", encoded.embeds.at("image_embeds"),
                 reference.tensor(name + "/image_embeds"));
    expect_close(kTextToImageEmbeds, name + " negative_image_embeds",
                 encoded.negative_embeds.at("image_embeds"),
                 reference.tensor(name + "/negative_image_embeds"));
    const at::Tensor latents =
        engine.denoise(encoded.embeds, &encoded.negative_embeds, job.denoise);
    expect_close(kTextToImageLatents, name, latents, reference.tensor(name + "/latents"));
    expect_same_image(name, generate(engine, job).squeeze(0), recorded_image(reference, name));
  }
}

TEST(TextToImageParity, SingleImages) {
  expect_reference_runs(tiny_folder("tiny-2-1"), Reference("text_to_image.tiny-2-1"));
}

TEST(TextToImageParity, DecodedLatents) {
  const Reference reference("text_to_image.tiny-2-1");
  engine::Engine engine = open_engine(tiny_folder("tiny-2-1"));
  for (const std::string& name : reference.cases()) {
    const at::Tensor expected = recorded_image(reference, name);
    at::Tensor image = at::empty(expected.sizes(), at::kByte);
    engine.decode(reference.tensor(name + "/latents"), expected.size(1), expected.size(0),
                  /*tiling=*/false, image.mutable_data_ptr<uint8_t>());
    expect_same_image(name + " decoded", image, expected);
  }
}

TEST(TextToImageParity, BatchesAreSingleImages) {
  const Reference reference("text_to_image.tiny-2-1");
  engine::Engine engine = open_engine(tiny_folder("tiny-2-1"));
  const std::vector<std::vector<std::string>> batches = {
      {"seed_0", "seed_1", "seed_2"},
      {"negative_bad", "negative_bad_seed_1", "negative_bad_seed_2"},
      {"guidance_1", "guidance_1_seed_1"},
      {"seed_2", "empty_prompt", "long_prompt", "large_seed"},
      {"russian", "negative_empty", "negative_bad_seed_2"},
  };
  for (const std::vector<std::string>& names : batches) {
    const at::Tensor images = generate(engine, read_job(reference, names));
    for (size_t i = 0; i < names.size(); ++i) {
      const at::Tensor image = images[static_cast<int64_t>(i)];
      const std::string what = names[i] + " in a batch of " + std::to_string(names.size());
      expect_same_image(what, image, recorded_image(reference, names[i]));
      expect_equal(what, image, generate(engine, read_job(reference, {names[i]})).squeeze(0));
    }
  }
}

TEST(TextToImageParity, DemoModel) {
  expect_reference_runs(demo_folder(), Reference("text_to_image.kandinsky-demo"));
}

}  // namespace
}  // namespace kandinsky::parity
