/// Both tokenizers on texts that come in parts.
#include <random>
#include <string>
#include <vector>

#include "base/limits.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"
#include "unit/support.h"
#include "unit/text/expected.h"

namespace kandinsky::text {
namespace {

using Texts = std::vector<std::string_view>;

template <typename Tokenizer>
struct Data;
template <>
struct Data<ClipTokenizer> {
  static constexpr const char* kFolder = "clip";
};
template <>
struct Data<XlmrTokenizer> {
  static constexpr const char* kFolder = "xlmr";
};

template <typename Tokenizer>
class PartTokensTest : public testing::Test {
 protected:
  Tokenizer tokenizer_ = Tokenizer::load(test::text_data(Data<Tokenizer>::kFolder));
};

using Tokenizers = testing::Types<ClipTokenizer, XlmrTokenizer>;
TYPED_TEST_SUITE(PartTokensTest, Tokenizers);

TYPED_TEST(PartTokensTest, AreThoseOfTheWholeText) {
  const std::vector<std::string> words = {"a ",  "red", " circle", "кот", "日本", ", ",
                                          "<s>", "  ",  "x1",      "🐈",   "\n",   "<|endoftext|>"};
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    Texts parts(1 + random() % 8);
    std::string whole;
    for (std::string_view& part : parts) whole += part = words[random() % words.size()];
    const PartTokens tokens = this->tokenizer_.tokenize(parts);
    EXPECT_EQ(tokens.ids, this->tokenizer_.tokenize(whole)) << whole;
    ASSERT_EQ(tokens.parts.size(), tokens.ids.size());
    EXPECT_TRUE(std::is_sorted(tokens.parts.begin(), tokens.parts.end()));
    for (const std::size_t part : tokens.parts) {
      ASSERT_LT(part, parts.size());
      EXPECT_FALSE(parts[part].empty()) << whole;
    }
  }
}

TYPED_TEST(PartTokensTest, BelongToThePartThatTheyEndIn) {
  const Texts parts{"a ", "red", " circle, ", "blue"};
  std::vector<std::size_t> expected;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const std::size_t alone = this->tokenizer_.tokenize(parts[part]).size();
    expected.insert(expected.end(), alone, part);
  }
  EXPECT_EQ(this->tokenizer_.tokenize(parts).parts, expected);
}

TYPED_TEST(PartTokensTest, MakeTheRowOfTheText) {
  const Tokens expected = this->tokenizer_.encode("a red circle", 5);
  const Tokens row = this->tokenizer_.make_row(this->tokenizer_.tokenize("a red circle"), 5);
  EXPECT_EQ(row.ids, expected.ids);
  EXPECT_EQ(row.attention_mask, expected.attention_mask);
  EXPECT_EQ(row.num_dropped, expected.num_dropped);
}

TYPED_TEST(PartTokensTest, AreNoLongerThanAPromptTogether) {
  const std::string half(limits::kMaxPromptBytes / 2, ' ');
  test::expect_error(ErrorCode::kInvalidArgument, "2097153 bytes", [&] {
    (void)this->tokenizer_.tokenize(Texts{half, half, " "});
  });
  test::expect_error(ErrorCode::kInvalidArgument, "byte 0xff at offset 1", [&] {
    (void)this->tokenizer_.tokenize(Texts{"a", "b\xFF"});
  });
}

}  // namespace
}  // namespace kandinsky::text
