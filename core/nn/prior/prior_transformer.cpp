#include "nn/prior/prior_transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/triu.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "io/json_config.h"
#include "nn/config_checks.h"
#include "nn/layers/activation.h"
#include "nn/layers/attention.h"
#include "nn/layers/unit.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

constexpr double kNormEps = 1e-5;
/// Pooled text, time, latents and the query token.
constexpr int64_t kAdditionalEmbeddings = 4;
constexpr int64_t kMaxInnerDim = 1'000'000;
/// Additional embeddings of a text: they come before those of a step.
constexpr int64_t kTextEmbeddings = 1;
/// Large enough to hide a key, small enough to add twice in fp16.
constexpr double kHidden = -10000.0;

int64_t heads_of(const io::JsonConfig& config) {
  return get_size(config, "num_attention_heads", 32);
}

int64_t num_embeddings_of(const io::JsonConfig& config) {
  return get_size(config, "num_embeddings", 77);
}

int64_t inner_dim_of(const io::JsonConfig& config) {
  const int64_t inner_dim = heads_of(config) * get_size(config, "attention_head_dim", 64);
  // Limited like other widths: its product with layers and rows must fit into 64 bits.
  if (inner_dim <= kMaxInnerDim) return inner_dim;
  throw Error(
      ErrorCode::kCorruptFile,
      fmt::format("{}: \"num_attention_heads\" times \"attention_head_dim\" is {}, expected "
                  "at most {}",
                  config.source(), inner_dim, kMaxInnerDim));
}

/// Up to the last non-padding token of any row.
int64_t longest_text(const at::Tensor& attention_mask) {
  const at::Tensor used = attention_mask.any(0).nonzero();
  const int64_t longest = used.numel() == 0 ? 0 : used.max().item<int64_t>() + 1;
  return std::min(std::max(longest, kFewestQueries), attention_mask.size(1));
}

int64_t num_layers_of(const io::JsonConfig& config) {
  return get_layer_count(config, "num_layers", 20);
}

}  // namespace

int64_t PriorTransformer::elements_of_a_row(const io::JsonConfig& config) {
  // Keys and values of the text and of the pooled one.
  return num_layers_of(config) * 2 * (num_embeddings_of(config) + 1) * inner_dim_of(config);
}

PriorTransformer::PriorTransformer(const io::JsonConfig& config, const tensor::Weights& weights)
    : heads_(heads_of(config)),
      embedding_dim_(get_size(config, "embedding_dim", 768)),
      num_embeddings_(num_embeddings_of(config)),
      inner_dim_(inner_dim_of(config)),
      placement_(weights.placement()),
      positional_embedding_(weights.take("positional_embedding",
                                         {1, num_embeddings_ + kAdditionalEmbeddings, inner_dim_})),
      prd_embedding_(weights.take("prd_embedding", {1, 1, inner_dim_})),
      clip_mean_(weights.take("clip_mean", {1, embedding_dim_})),
      clip_std_(weights.take("clip_std", {1, embedding_dim_})),
      time_embedding_(weights.scope("time_embedding"), inner_dim_, inner_dim_),
      proj_in_(weights.scope("proj_in"), embedding_dim_, inner_dim_),
      embedding_proj_(weights.scope("embedding_proj"), embedding_dim_, inner_dim_),
      encoder_hidden_states_proj_(weights.scope("encoder_hidden_states_proj"), embedding_dim_,
                                  inner_dim_),
      norm_out_(weights.scope("norm_out"), inner_dim_, kNormEps),
      proj_to_clip_embeddings_(weights.scope("proj_to_clip_embeddings"), inner_dim_,
                               embedding_dim_) {
  require_value(config, "additional_embeddings", kAdditionalEmbeddings);
  require_value(config, "added_emb_type", "prd");
  require_value(config, "encoder_hid_proj_type", "linear");
  require_value(config, "time_embed_act_fn", "silu");
  require_value(config, "norm_in_type", "");
  require_value(config, "embedding_proj_norm_type", "");
  require_value(config, "time_embed_dim", inner_dim_);
  require_value(config, "embedding_proj_dim", embedding_dim_);
  require_value(config, "clip_embed_dim", embedding_dim_);
  const int64_t num_layers = num_layers_of(config);
  const auto make_block = [width = inner_dim_](const tensor::Weights& block) -> Block {
    const int64_t ff_dim = 4 * width;
    return {
        .norm1 = {block.scope("norm1"), width, kNormEps},
        .to_q = {block.scope("attn1.to_q"), width, width},
        .to_k = {block.scope("attn1.to_k"), width, width},
        .to_v = {block.scope("attn1.to_v"), width, width},
        .to_out = {block.scope("attn1.to_out.0"), width, width},
        // The checkpoints have no norm2.
        .norm3 = {block.scope("norm3"), width, kNormEps},
        .ff_in = {block.scope("ff.net.0.proj"), width, ff_dim},
        .ff_out = {block.scope("ff.net.2"), ff_dim, width},
    };
  };
  for (int64_t i = 0; i < num_layers; ++i)
    blocks_.emplace_back(weights.scope("transformer_blocks", i), make_block);
  weights.finish();
}

PriorTransformer::Conditioning PriorTransformer::condition(
    const at::Tensor& text_embeds, const at::Tensor& text_encoder_hidden_states,
    const at::Tensor& attention_mask) const {
  const int64_t num_tokens =
      placement_.speedups.skipped_padding ? longest_text(attention_mask) : num_embeddings_;
  const int64_t length = num_tokens + kAdditionalEmbeddings;
  const auto placed = [this](const at::Tensor& x) {
    return x.to(placement_.device, placement_.dtype);
  };
  const at::Tensor text =
      encoder_hidden_states_proj_(placed(text_encoder_hidden_states.slice(1, 0, num_tokens)));
  const at::Tensor pooled = embedding_proj_(placed(text_embeds)).unsqueeze(1);

  const at::Tensor padding = at::pad((1 - placed(attention_mask.slice(1, 0, num_tokens))) * kHidden,
                                     {0, kAdditionalEmbeddings});
  const at::Tensor causal = at::triu(at::full({length, length}, kHidden, text.options()), 1);
  const at::Tensor positions =
      at::cat({positional_embedding_.slice(1, 0, num_tokens),
               positional_embedding_.slice(1, num_embeddings_, num_embeddings_ + kTextEmbeddings)},
              1);
  Conditioning conditioning{.tokens = at::cat({text, pooled}, 1) + positions,
                            .key_mask = (padding.unsqueeze(1) + causal).unsqueeze(1),
                            .memories = {}};
  if (!placement_.speedups.prior_kv_cache) return conditioning;

  const int64_t text_length = conditioning.tokens.size(1);
  const at::Tensor key_mask =
      conditioning.key_mask.slice(2, 0, text_length).slice(3, 0, text_length);
  at::Tensor x = conditioning.tokens;
  for (const Unit<Block>& block : blocks_) {
    Memory& memory = conditioning.memories.emplace_back();
    x = apply(*block.get(), x, key_mask, memory);
  }
  return conditioning;
}

at::Tensor PriorTransformer::operator()(const at::Tensor& latents, double timestep,
                                        const Conditioning& conditioning) const {
  const int64_t batch_size = latents.size(0);
  const at::Tensor time =
      time_embedding_(timestep).unsqueeze(1).expand({batch_size, 1, inner_dim_});
  const at::Tensor image = proj_in_(latents.to(placement_.device, placement_.dtype)).unsqueeze(1);
  const at::Tensor query = prd_embedding_.expand({batch_size, 1, inner_dim_});
  const bool remembers_text = !conditioning.memories.empty();
  const int64_t first = remembers_text ? conditioning.tokens.size(1) : 0;
  at::Tensor x = at::cat({time, image, query}, 1) +
                 positional_embedding_.slice(1, num_embeddings_ + kTextEmbeddings);
  if (!remembers_text) x = at::cat({conditioning.tokens, x}, 1);
  const at::Tensor key_mask = conditioning.key_mask.slice(2, first);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    Memory memory = remembers_text ? conditioning.memories[i] : Memory{};
    x = apply(*blocks_[i].get(), x, key_mask, memory);
  }
  return proj_to_clip_embeddings_(norm_out_(x.select(1, x.size(1) - 1)));
}

at::Tensor PriorTransformer::apply(const Block& block, const at::Tensor& x,
                                   const at::Tensor& key_mask, Memory& memory) const {
  const at::Tensor normed = block.norm1(x);
  const auto append = [](const at::Tensor& earlier, const at::Tensor& own) {
    return earlier.defined() ? at::cat({earlier, own}, 1) : own;
  };
  memory = {append(memory.key, block.to_k(normed)), append(memory.value, block.to_v(normed))};
  const at::Tensor mixed = attention(block.to_q(normed), memory.key, memory.value, heads_,
                                     AttentionKernel::kFused, {.mask = key_mask});
  const at::Tensor h = block.to_out.add_to(x, mixed);
  return block.ff_out.add_to(h, block.ff_in.activated(block.norm3(h), Activation::kGelu));
}

at::Tensor PriorTransformer::post_process_latents(const at::Tensor& latents) const {
  return latents.to(placement_.device, placement_.dtype) * clip_std_ + clip_mean_;
}

}  // namespace kandinsky::nn
