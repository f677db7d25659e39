#include <gtest/gtest.h>

#include <vector>

#include "nn/movq/movq.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "parity/reference.h"
#include "parity/tolerances.h"
#include "tensor/bridge.h"
#include "tensor/device.h"

namespace kandinsky::parity {
namespace {

TEST(NetworksParity, PriorTransformer) {
  const tensor::JobGuard guard;
  const Reference reference("prior_transformer.tiny-2-1-prior");
  const Component component = open_component("tiny-2-1-prior", "prior");
  const nn::PriorTransformer prior(component.config, component.weights);
  for (const std::string& name : reference.cases()) {
    nn::PriorTransformer::Batch batch = prior.condition(
        {{reference.tensor(name + "/text_embeds"), reference.tensor(name + "/last_hidden_state"),
          reference.tensor(name + "/mask")}});
    const std::vector<at::Tensor> predicted =
        prior({reference.tensor(name + "/latents")},
              static_cast<double>(reference.integer(name + "/timestep")), batch);
    expect_close(kPriorTransformer, name, predicted.front(),
                 reference.tensor(name + "/predicted_image_embedding"));
  }
}

void expect_reference_noise_pred(std::string_view model, const Reference& reference) {
  const Component component = open_component(model, "unet");
  const nn::UNet unet(nn::UNetConfig::from_json(component.config), component.weights);
  for (const std::string& name : reference.cases()) {
    const nn::UNet::Conditioning conditioning = unet.condition(
        reference.tensor(name + "/image_embeds"), reference.tensor(name + "/prompt_embeds"),
        reference.tensor(name + "/text_encoder_hidden_states"));
    const at::Tensor output =
        unet(reference.tensor(name + "/sample"), reference.real(name + "/timestep"), conditioning);
    expect_close(kUnet, name, output, reference.tensor(name + "/output"));
  }
}

TEST(NetworksParity, UNet) {
  const tensor::JobGuard guard;
  expect_reference_noise_pred("tiny-2-1", Reference("unet.tiny-2-1"));
}

TEST(NetworksParity, UNetWithNineChannels) {
  const tensor::JobGuard guard;
  expect_reference_noise_pred("tiny-2-1-inpaint", Reference("unet_inpaint.tiny-2-1-inpaint"));
}

nn::Movq open_movq() {
  const Component component = open_component("tiny-2-1", "movq");
  return nn::Movq(nn::MovqConfig::from_json(component.config), component.weights);
}

TEST(NetworksParity, MovqEncode) {
  const tensor::JobGuard guard;
  const Reference reference("movq_encode.tiny-2-1");
  const nn::Movq movq = open_movq();
  for (const std::string& name : reference.cases()) {
    const at::Tensor image = reference.tensor(name + "/image").contiguous();
    const at::Tensor pixels =
        tensor::from_images(image.const_data_ptr<uint8_t>(), 1, image.size(0), image.size(1));
    expect_close(kMovqEncode, name, movq.encode(pixels), reference.tensor(name + "/latents"));
  }
}

TEST(NetworksParity, MovqDecode) {
  const tensor::JobGuard guard;
  const Reference reference("movq_decode.tiny-2-1");
  const nn::Movq movq = open_movq();
  for (const std::string& name : reference.cases()) {
    expect_close(kMovqDecode, name, movq.decode(reference.tensor(name + "/latents")),
                 reference.tensor(name + "/pixels"));
  }
}

}  // namespace
}  // namespace kandinsky::parity
