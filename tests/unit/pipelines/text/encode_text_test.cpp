#include "pipelines/text/encode_text.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "tensor/bridge.h"
#include "unit/pipelines/tiny_encoding.h"

namespace kandinsky::pipelines {
namespace {

template <typename Network>
Network open_network(std::string_view model, std::string_view component) {
  const io::ComponentFiles files = io::ModelDir::open(tiny_folder(model)).weights(component);
  return Network(io::JsonConfig::load(files.config_path()),
                 tensor::Weights::open(files, tensor::Placement{}));
}

std::string repeated(std::string_view unit, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += unit;
  return text;
}

class EncodeTextTest : public testing::Test {
 protected:
  std::vector<PriorText> prior(const std::string& text, const TextOptions& options = {}) {
    messages_.clear();
    return encode_prior_text(clip_, clip_tokenizer_, text, options, monitor_);
  }
  DecoderText decoder(const std::string& text, const TextOptions& options = {}) {
    messages_.clear();
    return encode_decoder_text(mclip_, xlmr_tokenizer_, text, options, monitor_);
  }
  /// Both pooled vectors.
  std::vector<at::Tensor> pooled(const std::string& text) {
    return {prior(text).front().text_embeds, decoder(text).prompt_embeds};
  }
  /// All tensors of a text in one chunk.
  std::vector<at::Tensor> all(const std::string& text, const TextOptions& options = {}) {
    const PriorText for_prior = prior(text, options).front();
    const DecoderText for_decoder = decoder(text, options);
    return {for_prior.text_embeds, for_prior.text_encoder_hidden_states, for_prior.attention_mask,
            for_decoder.prompt_embeds, for_decoder.text_encoder_hidden_states};
  }
  void expect_equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].equal(b[i])) << i;
  }

  tensor::JobGuard guard_;
  CancelFlag cancel_;
  std::vector<std::string> messages_;
  Monitor monitor_{cancel_, nullptr,
                   [this](const std::string& message) { messages_.push_back(message); }};
  nn::ClipTextEncoder clip_ = open_network<nn::ClipTextEncoder>("tiny-2-1-prior", "text_encoder");
  nn::MultilingualClip mclip_ = open_network<nn::MultilingualClip>("tiny-2-1", "text_encoder");
  text::ClipTokenizer clip_tokenizer_ =
      text::ClipTokenizer::load(tiny_folder("tiny-2-1-prior/tokenizer"));
  text::XlmrTokenizer xlmr_tokenizer_ =
      text::XlmrTokenizer::load(tiny_folder("tiny-2-1/tokenizer"));
};

TEST_F(EncodeTextTest, WeightsOfOneLeaveNoTrace) {
  const auto expected = all("a red circle, white", {.parse_weights = false});
  expect_equal(all("a red circle, white"), expected);
  expect_equal(all("a (red:1.0) circle, white"), expected);
  expect_equal(all("a ((red:2):0.5) circle, (white:1)"), expected);
  expect_equal(all("a red circle, white", {.long_prompts = true}), expected);
  expect_equal(all("BREAK a red circle, white BREAK"), expected);
}

TEST_F(EncodeTextTest, LeavesOutThePaddingThatThePriorDoesNotSee) {
  const std::string words = "a red circle, white";
  const PriorText text = prior(words).front();
  const at::Tensor ids =
      tensor::from_ids(clip_tokenizer_.make_row(clip_tokenizer_.tokenize(words)).ids);
  const auto whole = clip_(ids);
  const int64_t length = text.attention_mask.sum().item<int64_t>();
  ASSERT_LT(length, ids.size(1));
  EXPECT_TRUE(at::allclose(text.text_embeds, whole.text_embeds, 1e-5, 1e-6));
  const at::Tensor& states = text.text_encoder_hidden_states;
  ASSERT_EQ(states.sizes(), whole.last_hidden_state.sizes());
  EXPECT_TRUE(at::allclose(states.slice(1, 0, length), whole.last_hidden_state.slice(1, 0, length),
                           1e-5, 1e-6));
  EXPECT_TRUE(states.slice(1, length).equal(at::zeros_like(states.slice(1, length))));
}

TEST_F(EncodeTextTest, WithoutParsingTheSyntaxIsText) {
  const auto plain = all("a (red:1.5) circle", {.parse_weights = false});
  const auto escaped = all("a \\(red:1.5\\) circle");
  expect_equal(plain, escaped);
  EXPECT_FALSE(plain[0].equal(all("a red circle")[0]));
}

/// Where the words of "a red circle" are among the rows: begin, words, end, padding.
struct Places {
  template <typename Tokenizer>
  explicit Places(const Tokenizer& tokenizer) {
    const auto count = [&](const char* text) {
      return static_cast<int64_t>(tokenizer.tokenize(text).size());
    };
    red = 1 + count("a");
    circle = red + count("red");
    padding = 2 + count("a red circle");
  }
  int64_t red = 0;
  int64_t circle = 0;
  int64_t padding = 0;
};

TEST_F(EncodeTextTest, RowsMoveAlongWhatThePartAddsToThem) {
  const auto plain = all("a red circle");
  const auto without = all("a circle");
  const auto weighted = all("a (red:1.5) circle");
  for (const auto& [states, places] : {std::pair{size_t{1}, Places(clip_tokenizer_)},
                                       std::pair{size_t{4}, Places(xlmr_tokenizer_)}}) {
    const at::Tensor now = weighted[states][0];
    const at::Tensor before = plain[states][0];
    const at::Tensor rest = without[states][0];
    const auto moved = [&](int64_t row, const at::Tensor& base) {
      return at::allclose(now[row], before[row] + 0.5 * (before[row] - base), 1e-4, 1e-5);
    };
    const int64_t shift = places.circle - places.red;
    for (int64_t row = 0; row < now.size(0); ++row) {
      if (row < places.red || row >= places.padding) {
        EXPECT_TRUE(moved(row, rest[row])) << row;
      } else if (row < places.circle) {
        EXPECT_TRUE(moved(row, at::zeros_like(before[row]))) << row;
      } else {
        EXPECT_TRUE(moved(row, rest[row - shift])) << row;
      }
    }
  }
  EXPECT_TRUE(weighted[2].equal(plain[2]));
}

TEST_F(EncodeTextTest, RowsOfWeightZeroAreThoseOfTheTextWithoutThePart) {
  const auto weighted = all("a (red:0) circle");
  const auto without = all("a circle");
  for (const auto& [states, places] : {std::pair{size_t{1}, Places(clip_tokenizer_)},
                                       std::pair{size_t{4}, Places(xlmr_tokenizer_)}}) {
    const at::Tensor now = weighted[states][0];
    const at::Tensor rest = without[states][0];
    const int64_t length = places.padding - places.circle;
    EXPECT_TRUE(
        at::allclose(now.slice(0, 0, places.red), rest.slice(0, 0, places.red), 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(now.slice(0, places.circle, places.padding),
                             rest.slice(0, places.red, places.red + length), 1e-4, 1e-5));
    EXPECT_EQ(now.slice(0, places.red, places.circle).abs().max().item<float>(), 0.0F);
  }
}

TEST_F(EncodeTextTest, ThePooledVectorMovesAlongWhatThePartAdds) {
  const auto plain = pooled("a red circle");
  const auto without = pooled("a circle");
  for (const double weight : {0.0, 0.5, 1.5, 2.0, -1.0}) {
    const auto weighted = pooled(fmt::format("a (red:{}) circle", weight));
    for (size_t side = 0; side < 2; ++side) {
      const at::Tensor expected = plain[side] + (weight - 1.0) * (plain[side] - without[side]);
      EXPECT_TRUE(at::allclose(weighted[side], expected, 1e-4, 1e-5)) << weight << " " << side;
    }
  }
}

TEST_F(EncodeTextTest, AWeightOfZeroIsTheTextWithoutThePart) {
  const auto weighted = pooled("a (red:0) circle");
  const auto without = pooled("a circle");
  for (size_t side = 0; side < 2; ++side) {
    EXPECT_TRUE(at::allclose(weighted[side], without[side], 1e-4, 1e-5)) << side;
  }
  // Nothing is left: the empty text.
  const auto nothing = pooled("(red circle:0)");
  const auto empty = pooled("");
  for (size_t side = 0; side < 2; ++side) {
    EXPECT_TRUE(at::allclose(nothing[side], empty[side], 1e-4, 1e-5)) << side;
  }
}

TEST_F(EncodeTextTest, SeveralPartsAddUp) {
  const auto plain = pooled("a red circle");
  const auto red = pooled("a (red:1.4) circle");
  const auto circle = pooled("a red (circle:0.7)");
  const auto both = pooled("a (red:1.4) (circle:0.7)");
  for (size_t side = 0; side < 2; ++side) {
    EXPECT_TRUE(at::allclose(both[side], red[side] + circle[side] - plain[side], 1e-4, 1e-5));
  }
}

TEST_F(EncodeTextTest, ChunksAreEncodedAlone) {
  const auto chunks = prior("a red circle BREAK a (blue:1.3) square");
  ASSERT_EQ(chunks.size(), 2U);
  const PriorText first = prior("a red circle").front();
  const PriorText second = prior("a (blue:1.3) square").front();
  EXPECT_TRUE(chunks[0].text_encoder_hidden_states.equal(first.text_encoder_hidden_states));
  EXPECT_TRUE(chunks[1].text_embeds.equal(second.text_embeds));
  EXPECT_EQ(chunks[0].num_tokens, std::ssize(clip_tokenizer_.tokenize("a red circle")));

  const DecoderText both = decoder("a red circle BREAK a red circle, white");
  const DecoderText left = decoder("a red circle");
  const DecoderText right = decoder("a red circle, white");
  EXPECT_EQ(both.text_encoder_hidden_states.size(1), 154);
  EXPECT_TRUE(
      both.text_encoder_hidden_states.slice(1, 0, 77).equal(left.text_encoder_hidden_states));
  EXPECT_TRUE(both.text_encoder_hidden_states.slice(1, 77).equal(right.text_encoder_hidden_states));
  const auto count = [&](const char* text) {
    return static_cast<double>(xlmr_tokenizer_.tokenize(text).size());
  };
  const double share =
      count("a red circle") / (count("a red circle") + count("a red circle, white"));
  EXPECT_TRUE(at::allclose(both.prompt_embeds,
                           share * left.prompt_embeds + (1 - share) * right.prompt_embeds, 1e-5,
                           1e-6));
}

TEST_F(EncodeTextTest, LongPromptsAreCutOrReadInChunks) {
  const std::string text = repeated("red circle ", 25);
  const int64_t count = std::ssize(clip_tokenizer_.tokenize(text));
  ASSERT_TRUE(count > 150 && count < 225) << count;
  EXPECT_EQ(prior(text).size(), 1U);
  ASSERT_EQ(messages_.size(), 1U);
  EXPECT_EQ(messages_[0],
            fmt::format("The prior reads 75 tokens of a prompt; the last {} tokens of \"{}...\" "
                        "were left out.",
                        count - 75, text.substr(0, 40)));
  const auto chunks = prior(text, {.long_prompts = true});
  EXPECT_TRUE(messages_.empty());
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[2].num_tokens, count - 150);
  EXPECT_TRUE(chunks[0].text_embeds.equal(prior(text).front().text_embeds));
  const int64_t decoder_count = std::ssize(xlmr_tokenizer_.tokenize(text));
  EXPECT_EQ(decoder(text, {.long_prompts = true}).text_encoder_hidden_states.size(1),
            (decoder_count + 74) / 75 * 77);
}

TEST_F(EncodeTextTest, TheMostChunksOfATextAreKnownBeforeItIsRead) {
  const TextOptions long_prompts{.long_prompts = true};
  for (const std::string& text :
       {std::string(), std::string("a red circle"), repeated("a ", 100), repeated("a BREAK ", 3),
        repeated("red, blue BREAK (x:1.2) ", 20), repeated("x", 5000)}) {
    for (const TextOptions& options : {TextOptions{}, long_prompts}) {
      EXPECT_LE(static_cast<int64_t>(prior(text, options).size()), most_chunks(text, options));
      EXPECT_LE(decoder(text, options).text_encoder_hidden_states.size(1),
                most_chunks(text, options) * 77);
    }
  }
  EXPECT_EQ(most_chunks("a red circle", long_prompts), 1);
  EXPECT_EQ(most_chunks("a BREAK b", {}), 2);
  EXPECT_EQ(most_chunks("a BREAK b", {.parse_weights = false}), 1);
}

TEST_F(EncodeTextTest, ChunksHaveACap) {
  for (const std::string& text : {repeated("red ", 100'000), repeated("red BREAK ", 1000)}) {
    const auto chunks = prior(text, {.long_prompts = true});
    EXPECT_EQ(chunks.size(), limits::kMaxPromptChunks);
    ASSERT_EQ(messages_.size(), 1U);
    EXPECT_NE(messages_[0].find("reads up to 8 chunks of 75 tokens"), std::string::npos)
        << messages_[0];
    EXPECT_TRUE(messages_[0].ends_with(" were left out."));
    EXPECT_EQ(decoder(text, {.long_prompts = true}).text_encoder_hidden_states.size(1), 8 * 77);
  }
  // Weights at the end of a long text are cut with it.
  const std::string tail = repeated("red ", 75) + repeated("(white:1.5) blue ", 1000);
  expect_equal(all(tail), all(repeated("red ", 75)));
}

TEST_F(EncodeTextTest, AStopIsObeyedBetweenTheParts) {
  cancel_.request();
  test::expect_error(ErrorCode::kCancelled, "", [&] { (void)prior("a (red:1.5) circle"); });
  test::expect_error(ErrorCode::kCancelled, "", [&] { (void)decoder("a"); });
}

}  // namespace
}  // namespace kandinsky::pipelines
