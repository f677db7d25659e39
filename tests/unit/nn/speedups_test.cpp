/// Every speed-up gives the numbers that the plain formulas give.
#include "tensor/speedups.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/model_dir.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/mclip.h"
#include "nn/layers/upsampled_conv.h"
#include "nn/movq/movq.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "tensor/noise.h"
#include "unit/support.h"

namespace kandinsky::nn {
namespace {

constexpr const char* kModel = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1";
constexpr const char* kPrior = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1-prior";

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

template <typename Network, typename Config = io::JsonConfig>
Network open(const char* folder, const char* component, const tensor::Placement& placement) {
  const io::ComponentFiles files = io::ModelDir::open(folder).weights(component);
  const io::JsonConfig json = io::JsonConfig::load(files.config_path());
  tensor::Placement of_network = placement;
  of_network.few_rows = !std::is_same_v<Network, UNet> && !std::is_same_v<Network, Movq>;
  const tensor::Weights weights = tensor::Weights::open(files, of_network);
  if constexpr (std::is_same_v<Config, io::JsonConfig>)
    return {json, weights};
  else
    return {Config::from_json(json), weights};
}

/// What all the networks make of the same inputs.
std::vector<at::Tensor> results(const tensor::Placement& placement) {
  std::vector<at::Tensor> all;
  const auto unet = open<UNet, UNetConfig>(kModel, "unet", placement);
  const UNet::Conditioning conditioning = unet.condition(
      random_tensor(1, {2, 16}), random_tensor(2, {2, 16}), random_tensor(3, {2, 77, 24}));
  all.push_back(unet(random_tensor(4, {2, 4, 8, 16}), 501, conditioning, PaddingMode::kZeros));
  all.push_back(unet(random_tensor(4, {1, 4, 8, 16}), 501, conditioning, PaddingMode::kCircular));

  const auto movq = open<Movq, MovqConfig>(kModel, "movq", placement);
  for (const PaddingMode mode : {PaddingMode::kZeros, PaddingMode::kCircular}) {
    all.push_back(movq.decode(random_tensor(5, {1, 4, 6, 4}), mode));
    all.push_back(movq.encode(random_tensor(6, {1, 3, 48, 32}), mode));
  }

  const auto prior = open<PriorTransformer>(kPrior, "prior", placement);
  const int64_t width = prior.embedding_dim();
  const int64_t length = prior.num_embeddings();
  at::Tensor mask = at::ones({2, length}, at::kLong);
  mask.slice(0, 1, 2).slice(1, 9).zero_();
  for (const int64_t longest : {length, int64_t{12}}) {
    mask.slice(1, longest).zero_();
    PriorTransformer::Batch text = prior.condition(
        {{random_tensor(7, {2, width}), random_tensor(8, {2, length, width}), mask}});
    for (const double timestep : {3.0, 700.0})
      all.push_back(prior({random_tensor(9, {2, width})}, timestep, text).front());
  }

  const at::Tensor ids = at::arange(77).unsqueeze(0) % 9;
  at::Tensor attended = at::ones({1, 77}, at::kLong);
  attended.slice(1, 20).zero_();
  const auto text_encoder = open<MultilingualClip>(kModel, "text_encoder", placement);
  at::Tensor padded = ids.clone();
  padded.slice(1, 20).fill_(text_encoder.pad_token_id());
  for (const at::Tensor& row : {ids, padded}) {
    const auto texts = text_encoder(row, attended);
    all.push_back(texts.text_embeds);
    all.push_back(texts.text_encoder_hidden_states);
  }
  all.push_back(open<ClipTextEncoder>(kPrior, "text_encoder", placement)(ids).last_hidden_state);
  return all;
}

void expect_close(const std::vector<at::Tensor>& actual, const std::vector<at::Tensor>& expected,
                  double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const at::Tensor wanted = expected[i].to(at::kFloat);
    const double size = wanted.abs().max().item<double>();
    EXPECT_LT((actual[i].to(at::kFloat) - wanted).abs().max().item<double>(), relative * size)
        << "result " << i;
  }
}

class SpeedupsTest : public testing::Test {
 protected:
  static tensor::Placement without(const std::vector<std::string>& names) {
    tensor::Placement placement;
    placement.speedups = tensor::speedups_without(names);
    return placement;
  }
  const tensor::JobGuard guard_;
};

TEST_F(SpeedupsTest, EachGivesTheSameNumbersInFp32) {
  std::vector<std::string> all;
  for (const tensor::SpeedupInfo& speedup : tensor::speedups()) all.emplace_back(speedup.name);
  const std::vector<at::Tensor> plain = results(without(all));
  expect_close(results(tensor::Placement{}), plain, 1e-5);
  for (const std::string& name : all) {
    SCOPED_TRACE(name);
    expect_close(results(without({name})), plain, 1e-5);
  }
}

TEST_F(SpeedupsTest, TogetherTheyStayWithinTheRoundingOfBf16) {
  tensor::Placement coarse;
  coarse.dtype = at::kBFloat16;
  // 8 bits, through some dozens of layers.
  expect_close(results(coarse), results(tensor::Placement{}), 0.1);
}

TEST_F(SpeedupsTest, UnknownOnesAreRefusedWithTheKnownOnes) {
  const auto ask = [] { tensor::speedups_without({"packed-weights", "magic"}); };
  test::expect_error(ErrorCode::kInvalidArgument, "\"magic\"", ask);
  test::expect_error(ErrorCode::kInvalidArgument, "prior-kv-cache", ask);
}

}  // namespace
}  // namespace kandinsky::nn
