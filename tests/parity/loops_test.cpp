#include <gtest/gtest.h>

#include "base/cancel.h"
#include "parity/image_job.h"
#include "parity/reference.h"
#include "pipelines/text/run_prior.h"
#include "tensor/device.h"

namespace kandinsky::parity {
namespace {

using pipelines::PriorText;

PriorText read_text(const Reference& reference, const std::string& name) {
  return {.text_embeds = reference.tensor(name + "/text_embeds"),
          .text_encoder_hidden_states = reference.tensor(name + "/last_hidden_state"),
          .attention_mask = reference.tensor(name + "/mask")};
}

TEST(LoopsParity, Prior) {
  const tensor::JobGuard guard;
  const Reference reference("prior_loop.tiny-2-1-prior");
  const Component component = open_component("tiny-2-1-prior", "prior");
  const nn::PriorTransformer prior(component.config, component.weights);
  const auto schedule =
      samplers::UnclipSchedule::from_json(open_config("tiny-2-1-prior", "scheduler"));
  const PriorText prompt = read_text(reference, "text_prompt");
  const PriorText empty = read_text(reference, "text_empty");
  const PriorText bad = read_text(reference, "text_bad");
  const CancelFlag cancel;
  const pipelines::Monitor monitor(cancel, nullptr, nullptr);

  int runs = 0;
  for (const std::string& name : reference.cases()) {
    if (!reference.has(name + "/seed")) continue;
    const bool has_negative = reference.has(name + "/negative_prompt");
    const bool is_bad = has_negative && reference.text(name + "/negative_prompt") == "bad";
    PromptRequest request;
    request.prompts = {reference.text(name + "/prompt")};
    request.seeds = {static_cast<uint64_t>(reference.integer(name + "/seed"))};
    request.prior_num_inference_steps =
        static_cast<int>(reference.integer(name + "/prior_num_inference_steps"));
    request.prior_guidance_scale = reference.real(name + "/prior_guidance_scale");
    const PriorText& negative = is_bad ? bad : empty;
    const pipelines::PriorItem item{.seed = request.seeds[0],
                                    .prompt = &prompt,
                                    .uncond = {&negative},
                                    .negative = has_negative ? &negative : nullptr};
    const auto noise =
        has_negative ? pipelines::PriorNoise::kPromptAndNegative : pipelines::PriorNoise::kPrompt;
    const pipelines::PriorOutput output =
        run_prior(prior, schedule, {item}, noise, request, monitor);
    expect_close(kPriorLoop, name + " image_embeds", output.image_embeds[0],
                 reference.tensor(name + "/image_embeds"));
    ASSERT_EQ(output.negative_image_embeds[0].defined(), has_negative) << name;
    if (has_negative) {
      expect_close(kPriorLoop, name + " negative_image_embeds", output.negative_image_embeds[0],
                   reference.tensor(name + "/negative_image_embeds"));
    }
    ++runs;
  }
  EXPECT_EQ(runs, 18);
}

pipelines::Embeds read_embeds(const Reference& reference, const std::string& name,
                              const std::string& side) {
  pipelines::Embeds embeds;
  for (const char* tensor : {"image_embeds", "prompt_embeds", "text_encoder_hidden_states"}) {
    embeds.tensors.emplace_back(tensor, reference.tensor(name + "/" + side + tensor));
  }
  return embeds;
}

TEST(LoopsParity, Denoise) {
  const Reference reference("text_to_image.tiny-2-1");
  engine::Engine engine = open_engine(tiny_folder("tiny-2-1"));
  for (const std::string& name : reference.cases()) {
    const at::Tensor expected = reference.tensor(name + "/latents");
    const pipelines::Embeds embeds = read_embeds(reference, name, "");
    const pipelines::Embeds negative_embeds = read_embeds(reference, name, "negative_");
    DenoiseRequest request;
    request.width = reference.integer(name + "/width");
    request.height = reference.integer(name + "/height");
    request.seeds = {static_cast<uint64_t>(reference.integer(name + "/seed"))};
    request.num_inference_steps =
        static_cast<int>(reference.integer(name + "/num_inference_steps"));
    request.guidance_scale = reference.real(name + "/guidance_scale");
    expect_close(kDenoise, name, engine.denoise(embeds, &negative_embeds, request), expected);
  }
}

}  // namespace
}  // namespace kandinsky::parity
