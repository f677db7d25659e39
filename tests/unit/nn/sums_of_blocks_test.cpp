/// What a network's blocks add to one after another is in fp32: in bf16, small terms would be lost.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "io/json_config.h"
#include "nn/encoders/clip_encoder.h"
#include "nn/prior/prior_transformer.h"
#include "tensor/device.h"
#include "unit/nn/stored_weights.h"

namespace kandinsky::nn {
namespace {

using Tensors = std::vector<std::pair<std::string, at::Tensor>>;

constexpr int64_t kWidth = 32;
constexpr int64_t kBlocks = 64;
/// Of each block. Next to 1, the smallest step of bf16 is 2^-7; those of all blocks add up to 2^-4.
constexpr double kTerm = 0x1p-10;
const tensor::Placement kInBf16{.dtype = at::kBFloat16};

/// A linear layer whose result is its bias.
void add_constant(Tensors& to, const std::string& name, int64_t in, const at::Tensor& bias) {
  to.emplace_back(name + ".weight", at::zeros({bias.size(0), in}));
  to.emplace_back(name + ".bias", bias);
}

void add_norm(Tensors& to, const std::string& name) {
  to.emplace_back(name + ".weight", at::ones({kWidth}));
  to.emplace_back(name + ".bias", at::zeros({kWidth}));
}

TEST(SumsOfBlocks, KeepTheTermsOfClipsLayers) {
  const tensor::JobGuard guard;
  Tensors tensors;
  for (int64_t i = 0; i < kBlocks; ++i) {
    const std::string layer = "layers." + std::to_string(i);
    add_norm(tensors, layer + ".layer_norm1");
    for (const char* name : {"q", "k", "v", "out"})
      add_constant(tensors, layer + ".self_attn." + name + "_proj", kWidth, at::zeros({kWidth}));
    add_norm(tensors, layer + ".layer_norm2");
    add_constant(tensors, layer + ".mlp.fc1", kWidth, at::zeros({kWidth}));
    add_constant(tensors, layer + ".mlp.fc2", kWidth, at::full({kWidth}, kTerm));
  }
  const test::StoredWeights stored(tensors);
  const ClipEncoder encoder(stored.open(kInBf16),
                            {.hidden_size = kWidth,
                             .intermediate_size = kWidth,
                             .num_hidden_layers = kBlocks,
                             .num_attention_heads = 2},
                            Masking::kCausal);
  const at::Tensor ones = at::ones({1, 5, kWidth}, at::kBFloat16);
  EXPECT_TRUE(encoder(ones).equal(ones * (1 + kBlocks * kTerm)));
}

TEST(SumsOfBlocks, KeepTheTermsOfThePriorsBlocks) {
  const tensor::JobGuard guard;
  const at::Tensor signs = at::tensor({1.0F, -1.0F}).repeat({kWidth / 2});
  const at::Tensor query = at::tensor({1.0F, 1.0F, -1.0F, -1.0F}).repeat({kWidth / 4});
  const at::Tensor nothing = at::zeros({kWidth});
  Tensors tensors{{"positional_embedding", at::zeros({1, 81, kWidth})},
                  {"prd_embedding", query.view({1, 1, kWidth})},
                  {"clip_mean", at::zeros({1, kWidth})},
                  {"clip_std", at::ones({1, kWidth})},
                  {"proj_to_clip_embeddings.weight", at::eye(kWidth)},
                  {"proj_to_clip_embeddings.bias", nothing}};
  for (const char* name : {"time_embedding.linear_1", "time_embedding.linear_2", "proj_in",
                           "embedding_proj", "encoder_hidden_states_proj"}) {
    add_constant(tensors, name, kWidth, nothing);
  }
  for (int64_t i = 0; i < kBlocks; ++i) {
    const std::string block = "transformer_blocks." + std::to_string(i);
    add_norm(tensors, block + ".norm1");
    for (const char* name : {"to_q", "to_k", "to_v", "to_out.0"})
      add_constant(tensors, block + ".attn1." + name, kWidth, nothing);
    add_norm(tensors, block + ".norm3");
    add_constant(tensors, block + ".ff.net.0.proj", kWidth, at::zeros({4 * kWidth}));
    add_constant(tensors, block + ".ff.net.2", 4 * kWidth, signs * kTerm);
  }
  add_norm(tensors, "norm_out");
  const test::StoredWeights stored(tensors);
  const PriorTransformer prior(
      io::JsonConfig::parse(
          R"({"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 64,
              "embedding_dim": 32, "num_embeddings": 77})",
          "config"),
      stored.open(kInBf16));
  PriorTransformer::Batch batch = prior.condition(
      {{at::zeros({1, kWidth}), at::zeros({1, 77, kWidth}), at::ones({1, 77}, at::kLong)}});
  const at::Tensor predicted = prior({at::zeros({1, kWidth})}, 7, batch).front();
  const at::Tensor expected =
      at::layer_norm(query + kBlocks * kTerm * signs, {kWidth}).unsqueeze(0);
  EXPECT_TRUE(at::allclose(predicted.to(at::kFloat), expected, 0x1p-8, 0)) << predicted;
}

}  // namespace
}  // namespace kandinsky::nn
