#include "parity/image_job.h"

#include <ATen/ATen.h>

namespace kandinsky::parity {
namespace {

pipelines::Embeds read_embeds(const Reference& reference, const std::vector<std::string>& names,
                              const std::string& side) {
  pipelines::Embeds embeds;
  for (const char* tensor : {"image_embeds", "prompt_embeds", "text_encoder_hidden_states"}) {
    std::vector<at::Tensor> rows;
    for (const std::string& name : names)
      rows.push_back(reference.tensor(name + "/" + side + tensor));
    embeds.tensors.emplace_back(tensor, at::cat(rows));
  }
  return embeds;
}

at::Tensor read_rows(const Reference& reference, const std::vector<std::string>& names,
                     const char* tensor) {
  std::vector<at::Tensor> rows;
  for (const std::string& name : names) {
    if (!reference.has(name + "/" + tensor)) return {};
    rows.push_back(reference.tensor(name + "/" + tensor));
  }
  return at::cat(rows);
}

}  // namespace

ImageJob read_image_job(const Reference& reference, const std::vector<std::string>& names) {
  ImageJob job{.embeds = read_embeds(reference, names, ""),
               .negative_embeds = read_embeds(reference, names, "negative_"),
               .request = {}};
  DenoiseRequest& request = job.request;
  for (const std::string& name : names)
    request.seeds.push_back(static_cast<uint64_t>(reference.integer(name + "/seed")));
  const std::string& first = names.front();
  request.width = static_cast<int>(reference.integer(first + "/width"));
  request.height = static_cast<int>(reference.integer(first + "/height"));
  request.sampler = reference.text(first + "/sampler");
  request.num_inference_steps = static_cast<int>(reference.integer(first + "/num_inference_steps"));
  request.guidance_scale = reference.real(first + "/guidance_scale");
  request.strength = reference.real(first + "/strength");
  request.init_latents = read_rows(reference, names, "init_latents");
  request.mask = read_rows(reference, names, "mask");
  return job;
}

engine::Engine open_engine(const std::string& folder) {
  EngineOptions options;
  options.model_dir = folder;
  options.device = "cpu";
  options.precision = "fp32";
  return engine::Engine(options);
}

void expect_reference_image(engine::Engine& engine, const Reference& reference,
                            const std::string& name, const ImageJob& job) {
  const at::Tensor latents = engine.denoise(job.embeds, &job.negative_embeds, job.request);
  expect_close(kTextToImageLatents, name, latents, reference.tensor(name + "/latents"));
  const at::Tensor expected = reference.tensor(name + "/image");
  at::Tensor image = at::empty(expected.sizes(), at::kByte);
  engine.decode(latents, job.request.width, job.request.height, /*tiling=*/false,
                image.mutable_data_ptr<uint8_t>());
  expect_same_image(name, image, expected);
}

at::Tensor encode_source(engine::Engine& engine, const Reference& reference,
                         const std::string& name) {
  const at::Tensor source = reference.tensor(name + "/source").contiguous();
  return engine.encode(source.const_data_ptr<uint8_t>(), 1, source.size(1), source.size(0),
                       /*tiling=*/false);
}

}  // namespace kandinsky::parity
