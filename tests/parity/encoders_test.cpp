#include <gtest/gtest.h>

#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/encoders/mclip.h"
#include "parity/reference.h"
#include "tensor/device.h"

namespace kandinsky::parity {
namespace {

TEST(EncodersParity, ClipText) {
  const tensor::JobGuard guard;
  const Reference reference("clip_text.tiny-2-1-prior");
  const Component component = open_component("tiny-2-1-prior", "text_encoder");
  const nn::ClipTextEncoder encoder(component.config, component.weights);
  const nn::ClipTextEncoder::Output output = encoder(reference.tensor("batch/ids"));
  expect_close(kClipText, "last_hidden_state", output.last_hidden_state,
               reference.tensor("batch/last_hidden_state"));
  expect_close(kClipText, "text_embeds", output.text_embeds, reference.tensor("batch/text_embeds"));
}

TEST(EncodersParity, ClipVision) {
  const tensor::JobGuard guard;
  const Reference reference("clip_vision.tiny-2-1-prior");
  const Component component = open_component("tiny-2-1-prior", "image_encoder");
  const nn::ClipVisionEncoder encoder(component.config, component.weights);
  for (const std::string& name : reference.cases()) {
    expect_close(kClipVision, name, encoder(reference.tensor(name + "/pixel_values")),
                 reference.tensor(name + "/image_embeds"));
  }
  expect_close(kClipVision, "zero_embeds", encoder.zero_embeds(),
               reference.tensor("zeros/image_embeds"));
}

TEST(EncodersParity, MultilingualClip) {
  const tensor::JobGuard guard;
  const Reference reference("mclip.tiny-2-1");
  const Component component = open_component("tiny-2-1", "text_encoder");
  const nn::MultilingualClip encoder(component.config, component.weights);
  const nn::MultilingualClip::Output output =
      encoder(reference.tensor("batch/ids"), reference.tensor("batch/mask"));
  expect_close(kMclip, "text_encoder_hidden_states", output.text_encoder_hidden_states,
               reference.tensor("batch/text_encoder_hidden_states"));
  expect_close(kMclip, "prompt_embeds", output.text_embeds,
               reference.tensor("batch/prompt_embeds"));
}

}  // namespace
}  // namespace kandinsky::parity
