/// A whole pipeline with very small networks, for tests of what denoising promises.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "pipelines/families/families.h"
#include "tensor/device.h"
#include "tensor/noise.h"

namespace kandinsky::pipelines {

constexpr int64_t kEmbedWidth = 16;
constexpr int64_t kHiddenWidth = 24;
constexpr int64_t kTextLength = 77;

inline at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

/// Rows of embeds as texts could give them.
inline Embeds random_embeds(uint64_t seed, int64_t rows, int64_t text_length = kTextLength) {
  tensor::NoiseSource source({seed});
  return {{{"image_embeds", source.draw(0, {rows, kEmbedWidth})},
           {"prompt_embeds", source.draw(0, {rows, kEmbedWidth})},
           {"text_encoder_hidden_states", source.draw(0, {rows, text_length, kHiddenWidth})}}};
}

inline Embeds rows_of(const Embeds& embeds, int64_t first, int64_t count) {
  Embeds result = embeds;
  for (auto& [name, tensor] : result.tensors) tensor = tensor.slice(0, first, first + count);
  return result;
}

class TinyPipelineTest : public testing::Test {
 protected:
  /// More threads only wait for each other in networks this small.
  static void SetUpTestSuite() { at::set_num_threads(1); }

  static std::string folder(const std::string& name) {
    return KANDINSKY_TINY_MODELS_DIR "/" + name;
  }

  static std::unique_ptr<Pipeline> open(const std::string& model,
                                        std::optional<std::string_view> inpaint = std::nullopt) {
    const std::string prior = folder("tiny-2-1-prior");
    const io::ModelDir dir = io::ModelDir::open(folder(model));
    return find_family(dir)->open(dir, {.prior = prior, .inpaint = inpaint},
                                  {.decoder = {}, .prior = {}});
  }

  /// 64x64 pixels, seeds 11, 12, ...
  static DenoiseRequest request(int64_t batch_size = 1) {
    DenoiseRequest request;
    request.width = 64;
    request.height = 64;
    request.num_inference_steps = 4;
    for (int64_t i = 0; i < batch_size; ++i) request.seeds.push_back(11 + static_cast<uint64_t>(i));
    return request;
  }

  static at::Tensor init_latents(int64_t batch_size = 1) {
    return random_tensor(77, {batch_size, 4, 8, 8});
  }

  /// Two latents to inpaint, one of them in part.
  static at::Tensor mask(int64_t batch_size = 1) {
    at::Tensor mask = at::zeros({batch_size, 1, 8, 8});
    mask.slice(2, 2, 5).slice(3, 3, 6).fill_(1.0);
    mask.slice(2, 6, 7).slice(3, 1, 3).fill_(0.6);
    return mask;
  }

  at::Tensor denoise(const DenoiseRequest& request, const Embeds& embeds,
                     const Embeds& negative_embeds) {
    return denoise(*pipeline_, request, embeds, &negative_embeds);
  }

  at::Tensor denoise(Pipeline& pipeline, const DenoiseRequest& request, const Embeds& embeds,
                     const Embeds* negative_embeds) {
    const Monitor monitor(cancel_, on_step_,
                          [this](const std::string& message) { messages_.push_back(message); });
    Job job = job_of(request);
    job.embeds = &embeds;
    job.negative_embeds = negative_embeds;
    pipeline.check(job);
    return pipeline.denoise(embeds, negative_embeds, request, monitor);
  }

  const tensor::JobGuard guard_;
  CancelFlag cancel_;
  Monitor::StepSink on_step_;
  std::vector<std::string> messages_;
  std::unique_ptr<Pipeline> pipeline_ = open("tiny-2-1");
  Embeds embeds_ = random_embeds(1, 3);
  Embeds negative_embeds_ = random_embeds(2, 3);
};

}  // namespace kandinsky::pipelines
