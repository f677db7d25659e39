#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "parity/image_job.h"

namespace kandinsky::parity {
namespace {

void expect_reference_runs(const std::string& folder, const Reference& reference) {
  engine::Engine engine = open_engine(folder);
  for (const std::string& name : reference.cases()) {
    ImageJob job = read_image_job(reference, {name});
    job.request.init_noise = InitNoise::kReference;
    expect_reference_image(engine, reference, name, job);
    const at::Tensor encoded = encode_source(engine, reference, name);
    expect_close(kMovqEncode, name, encoded, job.request.init_latents);
    job.request.init_latents = encoded;
    expect_reference_image(engine, reference, name, job);
  }
}

TEST(ImageToImageParity, SingleImages) {
  expect_reference_runs(tiny_folder("tiny-2-1"), Reference("image_to_image.tiny-2-1"));
}

TEST(ImageToImageParity, DemoModel) {
  expect_reference_runs(demo_folder(), Reference("image_to_image.kandinsky-demo"));
}

TEST(ImageToImageParity, BatchesAreSingleImages) {
  const Reference reference("image_to_image.tiny-2-1");
  engine::Engine engine = open_engine(tiny_folder("tiny-2-1"));
  const std::vector<std::string> names{"strength_0.75", "negative", "strength_0.75"};
  ImageJob job = read_image_job(reference, names);
  job.request.init_noise = InitNoise::kReference;
  const at::Tensor latents = engine.denoise(job.embeds, &job.negative_embeds, job.request);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    expect_close(kTextToImageLatents, names[i] + " in a batch", latents.slice(0, row, row + 1),
                 reference.tensor(names[i] + "/latents"));
  }
}

/// The sampler with learned variance, which draws in every step.
void expect_reference_ddpm_runs(const std::string& folder, const Reference& reference) {
  engine::Engine engine = open_engine(folder);
  for (const std::string& name : reference.cases())
    expect_reference_image(engine, reference, name, read_image_job(reference, {name}));
}

TEST(DdpmParity, SingleImages) {
  expect_reference_ddpm_runs(tiny_folder("tiny-2-1"), Reference("text_to_image_ddpm.tiny-2-1"));
}

TEST(DdpmParity, DemoModel) {
  expect_reference_ddpm_runs(demo_folder(), Reference("text_to_image_ddpm.kandinsky-demo"));
}

}  // namespace
}  // namespace kandinsky::parity
