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
#include <optional>
#include <utility>
#include <vector>

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

PriorTransformer::Conditioning PriorTransformer::embed(const Texts& texts) const {
  const int64_t num_tokens =
      placement_.speedups.skipped_padding ? longest_text(texts.attention_mask) : num_embeddings_;
  const int64_t length = num_tokens + kAdditionalEmbeddings;
  const auto placed = [this](const at::Tensor& x) {
    return x.to(placement_.device, placement_.dtype);
  };
  const at::Tensor text =
      encoder_hidden_states_proj_(placed(texts.text_encoder_hidden_states.slice(1, 0, num_tokens)));
  const at::Tensor pooled = embedding_proj_(placed(texts.text_embeds)).unsqueeze(1);

  const at::Tensor padding =
      at::pad((1 - placed(texts.attention_mask.slice(1, 0, num_tokens))) * kHidden,
              {0, kAdditionalEmbeddings});
  const at::Tensor causal = at::triu(at::full({length, length}, kHidden, text.options()), 1);
  const at::Tensor positions =
      at::cat({positional_embedding_.slice(1, 0, num_tokens),
               positional_embedding_.slice(1, num_embeddings_, num_embeddings_ + kTextEmbeddings)},
              1);
  return {.tokens = at::cat({text, pooled}, 1) + positions,
          .key_mask = (padding.unsqueeze(1) + causal).unsqueeze(1),
          .memories = {}};
}

PriorTransformer::Batch PriorTransformer::condition(const std::vector<Texts>& prompts) const {
  Batch batch;
  for (const Texts& texts : prompts) batch.prompts.push_back(embed(texts));
  if (!placement_.speedups.prior_kv_cache) return batch;

  std::vector<Tokens> tokens;
  for (const Conditioning& prompt : batch.prompts) {
    const int64_t length = prompt.tokens.size(1);
    tokens.push_back(
        {prompt.tokens.to(at::kFloat), prompt.key_mask.slice(2, 0, length).slice(3, 0, length)});
  }
  std::optional<bool> is_joined;
  for (const Unit<Block>& block : blocks_) {
    std::vector<Memory> memories(tokens.size());
    apply_to_all(*block.get(), tokens, memories, is_joined);
    for (size_t i = 0; i < memories.size(); ++i)
      batch.prompts[i].memories.push_back(std::move(memories[i]));
  }
  return batch;
}

std::vector<at::Tensor> PriorTransformer::operator()(const std::vector<at::Tensor>& latents,
                                                     double timestep, Batch& batch) const {
  const at::Tensor time = time_embedding_(timestep).unsqueeze(1);
  std::vector<Tokens> tokens;
  for (size_t i = 0; i < latents.size(); ++i) {
    const Conditioning& prompt = batch.prompts[i];
    const int64_t rows = latents[i].size(0);
    const at::Tensor image =
        proj_in_(latents[i].to(placement_.device, placement_.dtype)).unsqueeze(1);
    at::Tensor x = at::cat({time.expand({rows, 1, inner_dim_}), image,
                            prd_embedding_.expand({rows, 1, inner_dim_})},
                           1) +
                   positional_embedding_.slice(1, num_embeddings_ + kTextEmbeddings);
    const bool remembers_text = !prompt.memories.empty();
    if (!remembers_text) x = at::cat({prompt.tokens, x}, 1);
    tokens.push_back(
        {x.to(at::kFloat), prompt.key_mask.slice(2, remembers_text ? prompt.tokens.size(1) : 0)});
  }
  for (size_t i = 0; i < blocks_.size(); ++i) {
    std::vector<Memory> memories;
    memories.reserve(batch.prompts.size());
    for (const Conditioning& prompt : batch.prompts)
      memories.push_back(prompt.memories.empty() ? Memory{} : prompt.memories[i]);
    apply_to_all(*blocks_[i].get(), tokens, memories, batch.is_joined);
  }
  std::vector<at::Tensor> predicted;
  predicted.reserve(tokens.size());
  for (const Tokens& of_prompt : tokens)
    predicted.push_back(
        proj_to_clip_embeddings_(norm_out_(of_prompt.x.select(1, of_prompt.x.size(1) - 1))));
  return predicted;
}

void PriorTransformer::apply_to_all(const Block& block, std::vector<Tokens>& tokens,
                                    std::vector<Memory>& memories,
                                    std::optional<bool>& is_joined) const {
  if (tokens.size() == 1 || is_joined.value_or(false))
    return apply(block, tokens, 0, tokens.size(), memories);
  const std::vector<Tokens> inputs = tokens;
  std::vector<Memory> joined_memories = memories;
  for (size_t i = 0; i < tokens.size(); ++i) apply(block, tokens, i, i + 1, memories);
  if (is_joined.has_value()) return;
  // A library may sum in another order with more rows, but with the same shapes always in the same:
  // one block tells of all blocks and steps.
  std::vector<Tokens> joined = inputs;
  apply(block, joined, 0, joined.size(), joined_memories);
  is_joined = true;
  for (size_t i = 0; i < tokens.size(); ++i) {
    is_joined = *is_joined && joined[i].x.equal(tokens[i].x) &&
                joined_memories[i].key.equal(memories[i].key) &&
                joined_memories[i].value.equal(memories[i].value);
  }
}

void PriorTransformer::apply(const Block& block, std::vector<Tokens>& tokens, size_t first,
                             size_t end, std::vector<Memory>& memories) const {
  std::vector<at::Tensor> rows;
  std::vector<int64_t> counts;
  for (size_t i = first; i < end; ++i) {
    rows.push_back(tokens[i].x.reshape({-1, inner_dim_}));
    counts.push_back(rows.back().size(0));
  }
  const at::Tensor x = rows.size() == 1 ? rows.front() : at::cat(rows);
  const at::Tensor normed = block.norm1(x);
  const std::vector<at::Tensor> queries = block.to_q(normed).split_with_sizes(counts);
  const std::vector<at::Tensor> keys = block.to_k(normed).split_with_sizes(counts);
  const std::vector<at::Tensor> values = block.to_v(normed).split_with_sizes(counts);
  const auto append = [](at::Tensor& earlier, const at::Tensor& own) {
    earlier = earlier.defined() ? at::cat({earlier, own}, 1) : own;
  };
  std::vector<at::Tensor> mixed;
  for (size_t i = first; i < end; ++i) {
    const at::IntArrayRef shape = tokens[i].x.sizes();
    Memory& memory = memories[i];
    append(memory.key, keys[i - first].view(shape));
    append(memory.value, values[i - first].view(shape));
    mixed.push_back(attention(queries[i - first].view(shape), memory.key, memory.value, heads_,
                              AttentionKernel::kFused, {.mask = tokens[i].key_mask})
                        .view({-1, inner_dim_}));
  }
  const at::Tensor h = block.to_out.add_to(x, mixed.size() == 1 ? mixed.front() : at::cat(mixed));
  const at::Tensor y =
      block.ff_out.add_to(h, block.ff_in.activated(block.norm3(h), Activation::kGelu));
  const std::vector<at::Tensor> outputs = y.split_with_sizes(counts);
  for (size_t i = first; i < end; ++i) tokens[i].x = outputs[i - first].view(tokens[i].x.sizes());
}

at::Tensor PriorTransformer::post_process_latents(const at::Tensor& latents) const {
  return latents.to(placement_.device, placement_.dtype) * clip_std_ + clip_mean_;
}

}  // namespace kandinsky::nn
