#include "text/xlmr_unigram.h"

#include <chrono>

#include "base/limits.h"
#include "unit/support.h"
#include "unit/text/expected.h"

namespace kandinsky::text {
namespace {

using Ids = std::vector<std::int64_t>;

XlmrTokenizer load() { return XlmrTokenizer::load(test::text_data("xlmr")); }

TEST(XlmrTokenizer, EqualsTransformersForEveryRecordedPrompt) {
  const XlmrTokenizer tokenizer = load();
  test::for_each_expected("xlmr", [&](const std::string& prompt, const nlohmann::json& row) {
    test::expect_row(tokenizer.encode(prompt), row);
    EXPECT_EQ(tokenizer.tokenize(prompt).size(), row.at("num_tokens").get<std::size_t>());
  });
}

TEST(XlmrTokenizer, NumbersAsFairseqDoes) {
  const XlmrTokenizer tokenizer = load();
  const Tokens tokens = tokenizer.encode("", 4);
  EXPECT_EQ(tokens.ids, (Ids{0, 2, 1, 1}));
  EXPECT_EQ(tokens.attention_mask, (Ids{1, 1, 0, 0}));
  EXPECT_EQ(tokens.num_dropped, 0);
  EXPECT_EQ(tokenizer.tokenize("<s><pad></s><unk><mask>"),
            (Ids{0, 1, 2, 3, tokenizer.vocab_size() - 1}));
  EXPECT_EQ(tokenizer.vocab_size(), 242);
}

TEST(XlmrTokenizer, RowsHaveTheLengthThatIsAskedFor) {
  const XlmrTokenizer tokenizer = load();
  const Ids content = tokenizer.tokenize("красный круг");
  EXPECT_EQ(tokenizer.encode("красный круг", 3).ids, (Ids{0, content[0], 2}));
  EXPECT_EQ(tokenizer.encode("красный круг", 2).num_dropped,
            static_cast<std::int64_t>(content.size()));
  EXPECT_EQ(tokenizer.encode("красный круг", 512).ids.size(), 512U);
  for (const int length : {1, 0, -1}) {
    test::expect_error(ErrorCode::kInvalidArgument, "max_length",
                       [&] { (void)tokenizer.encode("a", length); });
  }
}

TEST(XlmrTokenizer, RefusesInvalidUtf8AndOverlongPrompts) {
  const XlmrTokenizer tokenizer = load();
  test::expect_error(ErrorCode::kInvalidArgument, "byte 0xd0 at offset 2",
                     [&] { (void)tokenizer.encode("a \xD0"); });
  test::expect_error(ErrorCode::kInvalidArgument, "2097153 bytes", [&] {
    (void)tokenizer.encode(std::string(limits::kMaxPromptBytes + 1, 'a'));
  });
}

TEST(XlmrTokenizer, HostilePromptsTakeLinearTime) {
  const XlmrTokenizer tokenizer = load();
  std::string word;
  while (word.size() + 20 < limits::kMaxPromptBytes) word += "красный";
  std::string open;
  while (open.size() + 4 < limits::kMaxPromptBytes) open += "<s<";
  for (const std::string& prompt : {word, open, std::string(limits::kMaxPromptBytes, ' ')}) {
    const auto start = std::chrono::steady_clock::now();
    (void)tokenizer.encode(prompt);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  }
}

TEST(XlmrTokenizer, RefusesBrokenModels) {
  const test::TempFolder folder;
  const std::string good = test::read_file(test::text_data("xlmr/sentencepiece.bpe.model"));
  const auto refuse = [&](ErrorCode code, std::string_view part) {
    test::expect_error(code, part, [&] { XlmrTokenizer::load(folder.path()); });
  };
  refuse(ErrorCode::kNotFound, "sentencepiece.bpe.model");
  for (const std::string& content :
       {std::string(), std::string("version https://git-lfs.github.com/spec/v1\n"),
        std::string(1000, '\xFF'), good.substr(0, 1000), good.substr(0, good.size() / 2)}) {
    folder.write("sentencepiece.bpe.model", content);
    refuse(ErrorCode::kCorruptFile, "sentencepiece.bpe.model");
  }
  // Well formed, but numbered otherwise: "<s>" renamed.
  std::string renamed = good;
  const std::size_t at = renamed.find("<s>");
  ASSERT_NE(at, std::string::npos);
  renamed[at + 1] = 'q';
  folder.write("sentencepiece.bpe.model", renamed);
  refuse(ErrorCode::kCorruptFile, "piece 1 is not '<s>'");
}

}  // namespace
}  // namespace kandinsky::text
