#include "nn/encoders/clip_vision.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <cstdint>

#include "io/json_config.h"
#include "nn/config_checks.h"
#include "nn/encoders/clip_encoder.h"
#include "nn/layers/attention.h"
#include "nn/layers/linear.h"
#include "nn/layers/map_tokens.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

int64_t patches(int64_t image_size, int64_t patch_size) {
  return (image_size / patch_size) * (image_size / patch_size);
}

}  // namespace

ClipVisionEncoder::ClipVisionEncoder(const io::JsonConfig& config, const tensor::Weights& weights)
    : config_(ClipEncoderConfig::from_json(config)),
      image_size_(get_size(config, "image_size")),
      patch_size_(get_size(config, "patch_size")),
      projection_dim_(get_size(config, "projection_dim")),
      placement_(weights.placement()),
      class_embedding_(
          weights.take("vision_model.embeddings.class_embedding", {config_.hidden_size})),
      patch_embedding_(weights.scope("vision_model.embeddings.patch_embedding"),
                       {.in_channels = 3,
                        .out_channels = config_.hidden_size,
                        .kernel = patch_size_,
                        .stride = patch_size_,
                        .padding = 0},
                       Bias::kNo),
      position_embedding_(
          weights.take("vision_model.embeddings.position_embedding.weight",
                       {patches(image_size_, patch_size_) + 1, config_.hidden_size})),
      // The misspelling is the checkpoint's.
      pre_layernorm_(weights.scope("vision_model.pre_layrnorm"), config_.hidden_size,
                     config_.layer_norm_eps),
      encoder_(weights.scope("vision_model.encoder"), config_, Masking::kNone),
      post_layernorm_(weights.scope("vision_model.post_layernorm"), config_.hidden_size,
                      config_.layer_norm_eps),
      visual_projection_(weights.scope("visual_projection"), config_.hidden_size, projection_dim_,
                         Bias::kNo) {
  weights.ignore("vision_model.embeddings.position_ids");
  weights.finish();
}

at::Tensor ClipVisionEncoder::operator()(const at::Tensor& pixels) const {
  const at::Tensor patches =
      map_to_tokens(patch_embedding_(pixels.to(placement_.device, placement_.dtype)));
  const at::Tensor first = class_embedding_.expand({pixels.size(0), 1, config_.hidden_size});
  const at::Tensor x = pre_layernorm_(at::cat({first, patches}, 1) + position_embedding_);
  return visual_projection_(post_layernorm_(encoder_(x).select(1, 0)));
}

at::Tensor ClipVisionEncoder::zero_embeds() const {
  return (*this)(at::zeros({1, 3, image_size_, image_size_}));
}

}  // namespace kandinsky::nn
