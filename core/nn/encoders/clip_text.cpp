#include "nn/encoders/clip_text.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/pad.h>

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "io/json_config.h"
#include "nn/config_checks.h"
#include "nn/encoders/clip_encoder.h"
#include "nn/layers/attention.h"
#include "nn/layers/linear.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

/// Configs written before transformers 4.30 have this value for any end token of the tokenizer.
constexpr int64_t kLegacyEosTokenId = 2;

}  // namespace

ClipTextEncoder::ClipTextEncoder(const io::JsonConfig& config, const tensor::Weights& weights)
    : config_(ClipEncoderConfig::from_json(config)),
      vocab_size_(get_size(config, "vocab_size")),
      max_position_embeddings_(get_size(config, "max_position_embeddings")),
      projection_dim_(get_size(config, "projection_dim")),
      eos_token_id_(config.get_int("eos_token_id", kLegacyEosTokenId)),
      placement_(weights.placement()),
      token_embedding_(weights.table("text_model.embeddings.token_embedding.weight",
                                     {vocab_size_, config_.hidden_size})),
      position_embedding_(weights.take("text_model.embeddings.position_embedding.weight",
                                       {max_position_embeddings_, config_.hidden_size})),
      encoder_(weights.scope("text_model.encoder"), config_, Masking::kCausal),
      final_layer_norm_(weights.scope("text_model.final_layer_norm"), config_.hidden_size,
                        config_.layer_norm_eps),
      text_projection_(weights.scope("text_projection"), config_.hidden_size, projection_dim_,
                       Bias::kNo) {
  weights.ignore("text_model.embeddings.position_ids");
  weights.finish();
}

ClipTextEncoder::Output ClipTextEncoder::operator()(const at::Tensor& ids) const {
  const at::Tensor on_device = ids.to(placement_.device);
  const at::Tensor tokens = token_embedding_.rows(ids).to(placement_.device, placement_.dtype);
  if (!tokens.isfinite().all().item<bool>()) {
    throw Error(ErrorCode::kCorruptFile,
                "text_encoder: token_embedding holds values that are not finite numbers; the file "
                "is damaged");
  }
  const at::Tensor x = tokens + position_embedding_.slice(0, 0, ids.size(1));
  const at::Tensor hidden = final_layer_norm_(encoder_(x));
  // The end token has the largest id, so its first position is the first maximum.
  const at::Tensor end = eos_token_id_ == kLegacyEosTokenId
                             ? on_device.argmax(1)
                             : (on_device == eos_token_id_).to(at::kInt).argmax(1);
  const at::Tensor rows = at::arange(ids.size(0), on_device.options());
  const at::Tensor pooled = hidden.index({rows, end});
  return {text_projection_(pooled), hidden};
}

ClipTextEncoder::Output ClipTextEncoder::operator()(const at::Tensor& ids,
                                                    int64_t num_tokens) const {
  const int64_t length = std::min(std::max(num_tokens, kFewestQueries), ids.size(1));
  Output output = (*this)(ids.slice(1, 0, length));
  output.last_hidden_state = at::pad(output.last_hidden_state, {0, 0, 0, ids.size(1) - length});
  return output;
}

}  // namespace kandinsky::nn
