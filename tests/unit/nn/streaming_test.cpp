/// Networks whose layers' weights are read from the files at each use compute what they compute
/// with weights that are kept.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/model_dir.h"
#include "io/safetensors.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/encoders/mclip.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "tensor/bridge.h"
#include "tensor/noise.h"
#include "unit/support.h"

namespace kandinsky::nn {
namespace {

constexpr const char* kModel = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1";
constexpr const char* kPrior = KANDINSKY_TINY_MODELS_DIR "/tiny-2-1-prior";

enum class Held { kWhole, kStreamed };

template <typename Network>
Network open(const std::string& folder, const char* component, Held held,
             at::ScalarType dtype = at::kFloat) {
  tensor::Placement placement = tensor::with_streamed_weights({.dtype = dtype});
  placement.streamed = held == Held::kStreamed;
  const io::ComponentFiles files = io::ModelDir::open(folder).weights(component);
  const io::JsonConfig config = io::JsonConfig::load(files.config_path());
  const tensor::Weights weights = tensor::Weights::open(files, placement);
  if constexpr (std::is_same_v<Network, UNet>)
    return {UNetConfig::from_json(config), weights};
  else
    return {config, weights};
}

at::Tensor random_tensor(uint64_t seed, at::IntArrayRef shape) {
  return tensor::NoiseSource({seed}).draw(0, shape);
}

/// The results of a job with both ways to hold a network are the same numbers, also the second
/// time.
template <typename Network, typename Job>
void expect_same(const char* folder, const char* component, const Job& job) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto whole = open<Network>(folder, component, Held::kWhole, dtype);
    const auto streamed = open<Network>(folder, component, Held::kStreamed, dtype);
    const at::Tensor expected = job(whole);
    EXPECT_GT(expected.to(at::kFloat).std().item<double>(), 0.0);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(job(streamed).equal(expected)) << component;
  }
}

class StreamingTest : public testing::Test {
 protected:
  const tensor::JobGuard guard_;
};

TEST_F(StreamingTest, UNet) {
  expect_same<UNet>(kModel, "unet", [](const UNet& unet) {
    const UNet::Conditioning conditioning = unet.condition(
        random_tensor(1, {1, 16}), random_tensor(2, {1, 16}), random_tensor(3, {1, 77, 24}));
    return unet(random_tensor(4, {1, 4, 8, 8}), 501, conditioning);
  });
}

TEST_F(StreamingTest, PriorTransformer) {
  expect_same<PriorTransformer>(kPrior, "prior", [](const PriorTransformer& prior) {
    const int64_t width = prior.embedding_dim();
    const int64_t length = prior.num_embeddings();
    PriorTransformer::Batch batch =
        prior.condition({{random_tensor(1, {1, width}), random_tensor(2, {1, length, width}),
                          at::ones({1, length}, at::kLong)}});
    return prior({random_tensor(3, {1, width})}, 7, batch).front();
  });
}

TEST_F(StreamingTest, TextEncoders) {
  const at::Tensor ids = at::arange(3, 80).unsqueeze(0);
  expect_same<ClipTextEncoder>(kPrior, "text_encoder", [&](const ClipTextEncoder& encoder) {
    return encoder(ids).last_hidden_state;
  });
  expect_same<MultilingualClip>(kModel, "text_encoder", [&](const MultilingualClip& encoder) {
    return encoder(ids, at::ones_like(ids)).text_encoder_hidden_states;
  });
}

TEST_F(StreamingTest, ImageEncoder) {
  expect_same<ClipVisionEncoder>(kPrior, "image_encoder", [](const ClipVisionEncoder& encoder) {
    return encoder(random_tensor(1, {1, 3, encoder.image_size(), encoder.image_size()}));
  });
}

/// A copy of the tiny model's UNet with its tensors changed.
class ChangedUNetTest : public StreamingTest {
 protected:
  using Tensors = std::vector<std::pair<std::string, at::Tensor>>;

  void write(const std::function<void(Tensors&)>& change) {
    const io::ComponentFiles files = io::ModelDir::open(kModel).weights("unet");
    const io::SafetensorsFile file = io::SafetensorsFile::open(files.weights().front());
    Tensors tensors;
    for (const io::StoredTensor& stored : file.tensors())
      tensors.emplace_back(stored.name, tensor::read_tensor(file, stored).to(at::kFloat));
    change(tensors);
    std::vector<io::TensorView> views;
    for (const auto& [name, tensor] : tensors) {
      views.push_back(
          {.name = name,
           .dtype = io::DType::kF32,
           .shape = {tensor.sizes().data(), tensor.sizes().size()},
           .bytes = {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
    }
    folder_.write("model_index.json",
                  R"({"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"]})");
    std::filesystem::create_directories(folder_.path("unet"));
    std::filesystem::copy_file(files.config_path(), folder_.path("unet/config.json"));
    io::write_safetensors(folder_.path("unet/diffusion_pytorch_model.safetensors"), views);
  }

  test::TempFolder folder_;
};

TEST_F(ChangedUNetTest, MissingAndMisshapenTensorsAreFoundWithoutReadingThem) {
  write([](Tensors& tensors) {
    std::erase_if(tensors, [](const auto& tensor) {
      return tensor.first == "up_blocks.0.resnets.1.conv2.bias";
    });
    for (auto& [name, tensor] : tensors) {
      if (name == "mid_block.attentions.0.to_q.weight") tensor = tensor.slice(0, 1).clone();
    }
  });
  for (const char* part : {"missing tensors: up_blocks.0.resnets.1.conv2.bias",
                           "mid_block.attentions.0.to_q.weight is ["}) {
    test::expect_error(ErrorCode::kCorruptFile, part,
                       [&] { open<UNet>(folder_.path(), "unet", Held::kStreamed); });
  }
}

TEST_F(ChangedUNetTest, ValuesThatAreNoNumbersAreFoundAtEachUse) {
  write([](Tensors& tensors) {
    for (auto& [name, tensor] : tensors) {
      if (name == "down_blocks.0.resnets.0.conv1.weight") tensor.view({-1})[3] = std::nan("");
    }
  });
  const auto unet = open<UNet>(folder_.path(), "unet", Held::kStreamed);
  const UNet::Conditioning conditioning = unet.condition(
      random_tensor(1, {1, 16}), random_tensor(2, {1, 16}), random_tensor(3, {1, 77, 24}));
  for (int i = 0; i < 2; ++i) {
    test::expect_error(ErrorCode::kCorruptFile, "down_blocks.0.resnets.0.conv1.weight", [&] {
      unet(random_tensor(4, {1, 4, 8, 8}), 501, conditioning);
    });
  }
}

}  // namespace
}  // namespace kandinsky::nn
