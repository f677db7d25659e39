#include "nn/encoders/clip_encoder.h"

#include <ATen/TensorOperators.h>

#include <cstdint>
#include <memory>

#include "io/json_config.h"
#include "nn/config_checks.h"
#include "nn/layers/activation.h"
#include "nn/layers/attention.h"
#include "nn/layers/unit.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

ClipEncoderConfig ClipEncoderConfig::from_json(const io::JsonConfig& json) {
  ClipEncoderConfig config;
  config.hidden_size = get_size(json, "hidden_size");
  config.intermediate_size = get_size(json, "intermediate_size");
  config.num_hidden_layers = get_layer_count(json, "num_hidden_layers");
  config.num_attention_heads = get_size(json, "num_attention_heads");
  config.layer_norm_eps = json.get_double("layer_norm_eps", 1e-5);
  config.hidden_act = parse_activation(json.get_string_view("hidden_act", "quick_gelu"));
  require_divisible(json, "hidden_size", config.hidden_size, "num_attention_heads",
                    config.num_attention_heads);
  return config;
}

ClipEncoder::ClipEncoder(const tensor::Weights& weights, const ClipEncoderConfig& config,
                         Masking masking)
    : heads_(config.num_attention_heads), hidden_act_(config.hidden_act), masking_(masking) {
  const auto make_layer = [config](const tensor::Weights& layer) -> Layer {
    const int64_t width = config.hidden_size;
    const tensor::Weights attn = layer.scope("self_attn");
    return {
        .layer_norm1 = {layer.scope("layer_norm1"), width, config.layer_norm_eps},
        .q_proj = {attn.scope("q_proj"), width, width},
        .k_proj = {attn.scope("k_proj"), width, width},
        .v_proj = {attn.scope("v_proj"), width, width},
        .out_proj = {attn.scope("out_proj"), width, width},
        .layer_norm2 = {layer.scope("layer_norm2"), width, config.layer_norm_eps},
        .fc1 = {layer.scope("mlp.fc1"), width, config.intermediate_size},
        .fc2 = {layer.scope("mlp.fc2"), config.intermediate_size, width},
    };
  };
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    layers_.emplace_back(weights.scope("layers", i), make_layer);
}

at::Tensor ClipEncoder::operator()(const at::Tensor& embeddings) const {
  // Each layer adds to the sum, which would be rounded to 16 bits each time.
  at::Tensor x = embeddings.to(at::kFloat);
  for (const Unit<Layer>& unit : layers_) {
    const std::shared_ptr<const Layer> kept = unit.get();
    const Layer& layer = *kept;
    const at::Tensor normed = layer.layer_norm1(x);
    x = layer.out_proj.add_to(
        x, attention(layer.q_proj(normed), layer.k_proj(normed), layer.v_proj(normed), heads_,
                     AttentionKernel::kFused, {.masking = masking_}));
    x = layer.fc2.add_to(x, layer.fc1.activated(layer.layer_norm2(x), hidden_act_));
  }
  return x.to(embeddings.scalar_type());
}

}  // namespace kandinsky::nn
