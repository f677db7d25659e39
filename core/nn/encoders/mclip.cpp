#include "nn/encoders/mclip.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/embedding.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>

#include "base/error.h"
#include "io/json_config.h"
#include "nn/config_checks.h"
#include "nn/layers/activation.h"
#include "nn/layers/attention.h"
#include "nn/layers/unit.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

/// The default of transformers if the config lacks the key.
constexpr double kDefaultLayerNormEps = 1e-12;

double lowest(at::ScalarType dtype) {
  if (dtype == at::kHalf) return -65504.0;
  if (dtype == at::kBFloat16) return -3.3895313892515355e38;
  return std::numeric_limits<float>::lowest();
}

}  // namespace

MultilingualClip::MultilingualClip(const io::JsonConfig& config, const tensor::Weights& weights)
    : hidden_size_(get_size(config, "hidden_size")),
      projection_dim_(get_size(config, "numDims", 768)),
      vocab_size_(get_size(config, "vocab_size")),
      max_position_embeddings_(get_size(config, "max_position_embeddings")),
      pad_token_id_(config.get_int("pad_token_id", 1)),
      heads_(get_size(config, "num_attention_heads")),
      hidden_act_(parse_activation(config.get_string_view("hidden_act", "gelu"))),
      placement_(weights.placement()),
      word_embeddings_(weights.table("transformer.embeddings.word_embeddings.weight",
                                     {vocab_size_, hidden_size_})),
      position_embeddings_(weights.take("transformer.embeddings.position_embeddings.weight",
                                        {max_position_embeddings_, hidden_size_})),
      token_type_embedding_(weights
                                .take("transformer.embeddings.token_type_embeddings.weight",
                                      {get_size(config, "type_vocab_size", 1), hidden_size_})
                                .select(0, 0)),
      embeddings_norm_(weights.scope("transformer.embeddings.LayerNorm"), hidden_size_,
                       config.get_double("layer_norm_eps", kDefaultLayerNormEps)),
      linear_transformation_(weights.scope("LinearTransformation"),
                             get_size(config, "transformerDimensions", hidden_size_),
                             projection_dim_) {
  require_divisible(config, "hidden_size", hidden_size_, "num_attention_heads", heads_);
  require_value(config, "transformerDimensions", hidden_size_);
  require_value(config, "position_embedding_type", "absolute");
  const double eps = config.get_double("layer_norm_eps", kDefaultLayerNormEps);
  const int64_t intermediate_size = get_size(config, "intermediate_size");
  const int64_t num_hidden_layers = get_layer_count(config, "num_hidden_layers");
  const auto make_layer = [eps, intermediate_size,
                           width = hidden_size_](const tensor::Weights& layer) -> Layer {
    return {
        .query = {layer.scope("attention.self.query"), width, width},
        .key = {layer.scope("attention.self.key"), width, width},
        .value = {layer.scope("attention.self.value"), width, width},
        .attention_output = {layer.scope("attention.output.dense"), width, width},
        .attention_norm = {layer.scope("attention.output.LayerNorm"), width, eps},
        .intermediate = {layer.scope("intermediate.dense"), width, intermediate_size},
        .output = {layer.scope("output.dense"), intermediate_size, width},
        .output_norm = {layer.scope("output.LayerNorm"), width, eps},
    };
  };
  for (int64_t i = 0; i < num_hidden_layers; ++i)
    layers_.emplace_back(weights.scope("transformer.encoder.layer", i), make_layer);
  weights.ignore("transformer.pooler.");
  weights.ignore("transformer.embeddings.position_ids");
  weights.ignore("transformer.embeddings.token_type_ids");
  weights.finish();
}

int64_t MultilingualClip::places_that_differ(const at::Tensor& ids,
                                             const at::Tensor& attention_mask) const {
  const int64_t length = ids.size(1);
  if (!placement_.speedups.skipped_padding) return length;
  const at::Tensor own = attention_mask.logical_or(ids != pad_token_id_).any(0).nonzero();
  const int64_t differing = own.numel() == 0 ? 1 : own.max().item<int64_t>() + 2;
  return std::min(std::max(differing, kFewestQueries), length);
}

MultilingualClip::Output MultilingualClip::operator()(const at::Tensor& all_ids,
                                                      const at::Tensor& whole_mask) const {
  const int64_t length = places_that_differ(all_ids, whole_mask);
  const at::Tensor ids = all_ids.slice(1, 0, length);
  const at::Tensor attention_mask = whole_mask.slice(1, 0, length);
  // Tokens are numbered from pad_token_id + 1; padding keeps pad_token_id.
  const at::Tensor counted = attention_mask.cumsum(1) * attention_mask + pad_token_id_;
  const at::Tensor words = word_embeddings_.rows(ids).to(placement_.device, placement_.dtype);
  if (!words.isfinite().all().item<bool>()) {
    throw Error(ErrorCode::kCorruptFile,
                "text_encoder: word_embeddings holds values that are not finite numbers; the file "
                "is damaged");
  }
  const at::Tensor positions = at::embedding(position_embeddings_, counted.to(placement_.device));
  at::Tensor x = embeddings_norm_(words + token_type_embedding_ + positions);

  const at::Tensor mask = attention_mask.to(placement_.device, placement_.dtype);
  const at::Tensor key_mask = ((1 - mask) * lowest(placement_.dtype)).unsqueeze(1).unsqueeze(1);
  for (const Unit<Layer>& unit : layers_) {
    const std::shared_ptr<const Layer> kept = unit.get();
    const Layer& layer = *kept;
    const at::Tensor mixed = attention(layer.query(x), layer.key(x), layer.value(x), heads_,
                                       AttentionKernel::kFused, {.mask = key_mask});
    x = layer.attention_norm(layer.attention_output.add_to(x, mixed));
    x = layer.output_norm(layer.output.add_to(x, layer.intermediate.activated(x, hidden_act_)));
  }
  const at::Tensor weights = mask.unsqueeze(2);
  const at::Tensor pooled = (x * weights).sum(1) / weights.sum(1);
  const at::Tensor padding =
      x.slice(1, length - 1).expand({-1, all_ids.size(1) - length, x.size(2)});
  return {linear_transformation_(pooled), at::cat({x, padding}, 1)};
}

}  // namespace kandinsky::nn
