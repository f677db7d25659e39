#include <fmt/format.h>

#include "text/clip_bpe.h"
#include "unit/pipelines/tiny_encoding.h"

namespace kandinsky::pipelines {
namespace {

using Texts = std::vector<std::string>;

void expect_near(const Embeds& actual, const Embeds& expected) {
  ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    EXPECT_TRUE(at::allclose(actual.at(name), tensor, 1e-5, 1e-5)) << name;
  }
}

class EncodePromptsTest : public TinyEncodingTest {
 protected:
  at::Tensor image(const PromptRequest& request) {
    return encode(request).embeds.at("image_embeds");
  }
  at::Tensor negative_image(const PromptRequest& request) {
    return encode(request).negative_embeds.at("image_embeds");
  }
};

TEST_F(EncodePromptsTest, TheNegativeImageIsEmptyUnlessThePriorIsAsked) {
  PromptRequest plain = request({"a red circle"});
  const at::Tensor zero = negative_image(plain);
  PromptRequest negated = plain;
  negated.negative_prompts = Texts{"bad"};
  EXPECT_TRUE(negative_image(negated).equal(zero));
  const Pipeline::EncodedPrompts encoded = encode(negated);
  // The text stands on the decoder's side, and steers the prior.
  EXPECT_TRUE(encoded.negative_embeds.at("prompt_embeds")
                  .equal(encode(request({"bad"})).embeds.at("prompt_embeds")));
  EXPECT_FALSE(encoded.embeds.at("image_embeds").equal(image(plain)));

  plain.negative_image = NegativeImage::kPrior;
  EXPECT_TRUE(negative_image(plain).equal(zero));
  negated.negative_image = NegativeImage::kPrior;
  EXPECT_FALSE(negative_image(negated).equal(zero));
  // The reference draws for both rows at once, which changes the prompt's noise after the first.
  EXPECT_FALSE(image(negated).equal(encoded.embeds.at("image_embeds")));
  negated.negative_prompts = Texts{""};
  EXPECT_FALSE(negative_image(negated).equal(zero));
}

TEST_F(EncodePromptsTest, ThePriorMaySteerAwayFromAnotherText) {
  PromptRequest both = request({"a red circle"});
  both.negative_prompts = Texts{"bad"};
  both.negative_prior_prompts = Texts{"ugly"};
  const Pipeline::EncodedPrompts encoded = encode(both);
  PromptRequest ugly = request({"a red circle"});
  ugly.negative_prompts = Texts{"ugly"};
  EXPECT_TRUE(encoded.embeds.at("image_embeds").equal(image(ugly)));
  EXPECT_TRUE(encoded.negative_embeds.at("prompt_embeds")
                  .equal(encode(request({"bad"})).embeds.at("prompt_embeds")));
  for (PromptRequest* each : {&both, &ugly}) each->negative_image = NegativeImage::kPrior;
  EXPECT_TRUE(negative_image(both).equal(negative_image(ugly)));
}

TEST_F(EncodePromptsTest, ASideThatIsNotWantedCostsNothing) {
  PromptRequest all = request({"a red circle", "a blue square"});
  all.negative_prompts = Texts{"bad", ""};
  for (const NegativeImage negative : {NegativeImage::kZero, NegativeImage::kPrior}) {
    all.negative_image = negative;
    const Pipeline::EncodedPrompts whole = encode(all);

    PromptRequest positive = all;
    positive.wants_negative_embeds = false;
    pipeline_ = open();
    const Pipeline::EncodedPrompts only = encode(positive);
    // Other rows beside it are a matter of rounding only.
    expect_near(only.embeds, whole.embeds);
    EXPECT_EQ(only.negative_embeds.batch_size(), 0);
    EXPECT_EQ(began("image_encoder"), 0);
    EXPECT_EQ(began("load"), 3);

    PromptRequest against = all;
    against.wants_embeds = false;
    pipeline_ = open();
    const Pipeline::EncodedPrompts other = encode(against);
    expect_near(other.negative_embeds, whole.negative_embeds);
    EXPECT_EQ(other.embeds.batch_size(), 0);
    EXPECT_EQ(began("prior"), negative == NegativeImage::kPrior ? 1 : 0);
  }
  all.wants_embeds = all.wants_negative_embeds = false;
  pipeline_ = open();
  EXPECT_EQ(encode(all).embeds.batch_size(), 0);
  EXPECT_TRUE(stages_.empty());
}

TEST_F(EncodePromptsTest, WithoutGuidanceNothingSteersThePrior) {
  PromptRequest off = request({"a red circle"});
  off.prior_guidance_scale = 1.0;
  const at::Tensor expected = image(off);
  off.negative_prompts = Texts{"bad"};
  EXPECT_TRUE(image(off).equal(expected));
}

TEST_F(EncodePromptsTest, RowsAreThoseOfEachPromptAlone) {
  pipeline_ = open({"prompt-cache"});
  const Texts prompts{"a red circle", "a (red:1.4) circle BREAK on white", "", "[red] BREAK a"};
  const Texts negatives{"bad BREAK ugly", "", "bad", "(bad:2)"};
  for (const NegativeImage negative : {NegativeImage::kZero, NegativeImage::kPrior}) {
    PromptRequest batch = request(prompts, 7);
    batch.negative_prompts = negatives;
    batch.negative_image = negative;
    const Pipeline::EncodedPrompts all = encode(batch);
    EXPECT_EQ(all.embeds.at("text_encoder_hidden_states").size(1), 154);
    EXPECT_TRUE(all.embeds.at("text_lengths")
                    .equal(at::tensor({77.0F, 154.0F, 77.0F, 154.0F}).view({4, 1})));
    for (size_t i = 0; i < prompts.size(); ++i) {
      PromptRequest single = request({prompts[i]}, 7 + i);
      single.negative_prompts = Texts{negatives[i]};
      single.negative_image = negative;
      const Pipeline::EncodedPrompts alone = encode(single);
      EXPECT_EQ(alone.embeds.find("text_lengths"), nullptr);
      expect_same(row(all.embeds, static_cast<int64_t>(i)), alone.embeds);
      expect_same(row(all.negative_embeds, static_cast<int64_t>(i)), alone.negative_embeds);
    }
  }
}

TEST_F(EncodePromptsTest, ChunksRunThePriorAloneFromTheSameNoise) {
  const at::Tensor both = image(request({"a red circle BREAK a blue square on white"}));
  const at::Tensor first = image(request({"a red circle"}));
  const at::Tensor second = image(request({"a blue square on white"}));
  const auto tokenizer = text::ClipTokenizer::load(tiny_folder("tiny-2-1-prior/tokenizer"));
  const auto count = [&](const char* text) {
    return static_cast<double>(tokenizer.tokenize(text).size());
  };
  const double share =
      count("a red circle") / (count("a red circle") + count("a blue square on white"));
  EXPECT_TRUE(at::allclose(both, first * share + second * (1 - share), 1e-5, 1e-6));
  EXPECT_TRUE(image(request({"red BREAK red"})).equal(image(request({"red"}))));
}

TEST_F(EncodePromptsTest, ANegativeInChunksIsTheirMean) {
  // Products of packed weights are rounded differently for three rows than for two.
  pipeline_ = open({"packed-weights", "prior-kv-cache"});
  PromptRequest twice = request({"a red circle"});
  twice.negative_prompts = Texts{"bad BREAK bad"};
  PromptRequest once = twice;
  once.negative_prompts = Texts{"bad"};
  EXPECT_TRUE(at::allclose(image(twice), image(once), 1e-5, 1e-6));
  for (PromptRequest* each : {&twice, &once}) each->negative_image = NegativeImage::kPrior;
  EXPECT_TRUE(at::allclose(negative_image(twice), negative_image(once), 1e-5, 1e-6));
}

TEST_F(EncodePromptsTest, AWeightActsOnTheImage) {
  const at::Tensor plain = image(request({"a red circle"}));
  EXPECT_TRUE(image(request({"a (red:1.0) circle"})).equal(plain));
  const auto distance = [&](double weight) {
    const std::string prompt = fmt::format("a (red:{}) circle", weight);
    return (image(request({prompt})) - plain).norm().item<double>();
  };
  EXPECT_GT(distance(1.2), 0.0);
  EXPECT_GT(distance(2.0), distance(1.2));
}

TEST_F(EncodePromptsTest, AVeryLongPromptIsAnsweredWithARemark) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "red ";
  PromptRequest longest = request({text});
  (void)encode(longest);
  EXPECT_EQ(messages_.size(), 2U);  // prior and decoder
  longest.long_prompts = true;
  EXPECT_EQ(encode(longest).embeds.at("text_encoder_hidden_states").size(1), 8 * 77);
  EXPECT_EQ(messages_.size(), 2U);
}

}  // namespace
}  // namespace kandinsky::pipelines
