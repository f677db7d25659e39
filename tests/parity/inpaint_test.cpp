#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "parity/image_job.h"

namespace kandinsky::parity {
namespace {

/// The reference starts from pure noise, which is what a strength of 1 means here.
ImageJob read_inpaint_job(const Reference& reference, const std::vector<std::string>& names) {
  ImageJob job = read_image_job(reference, names);
  job.request.strength = 1.0;
  job.request.mask_method = MaskMethod::kModel;
  return job;
}

void expect_reference_runs(const std::string& folder, const Reference& reference) {
  engine::Engine engine = open_engine(folder);
  for (const std::string& name : reference.cases()) {
    ImageJob job = read_inpaint_job(reference, {name});
    expect_reference_image(engine, reference, name, job);
    job.request.init_latents = encode_source(engine, reference, name);
    expect_reference_image(engine, reference, name, job);
  }
}

TEST(InpaintParity, SingleImages) {
  expect_reference_runs(tiny_folder("tiny-2-1"), Reference("inpaint.tiny-2-1-inpaint"));
}

TEST(InpaintParity, DemoModel) {
  expect_reference_runs(demo_folder(), Reference("inpaint.kandinsky-demo-inpaint"));
}

TEST(InpaintParity, BatchesAreSingleImages) {
  const Reference reference("inpaint.tiny-2-1-inpaint");
  engine::Engine engine = open_engine(tiny_folder("tiny-2-1"));
  const std::vector<std::string> names{"box", "all", "negative", "pattern", "box_seed_1"};
  const ImageJob job = read_inpaint_job(reference, names);
  const at::Tensor latents = engine.denoise(job.embeds, &job.negative_embeds, job.request);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    expect_close(kTextToImageLatents, names[i] + " in a batch", latents.slice(0, row, row + 1),
                 reference.tensor(names[i] + "/latents"));
  }
}

/// A model that is an inpainting one itself needs no other beside it.
TEST(InpaintParity, TheInpaintingFolderAsTheModel) {
  const Reference reference("inpaint.tiny-2-1-inpaint");
  const std::string model = tiny_folder("tiny-2-1-inpaint");
  const std::string prior = tiny_folder("tiny-2-1-prior");
  EngineOptions options;
  options.model_dir = model;
  options.prior_dir = prior;
  options.device = "cpu";
  options.precision = "fp32";
  engine::Engine engine(options);
  expect_reference_image(engine, reference, "box", read_inpaint_job(reference, {"box"}));
}

}  // namespace
}  // namespace kandinsky::parity
