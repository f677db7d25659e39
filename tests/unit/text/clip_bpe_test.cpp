#include "text/clip_bpe.h"

#include <chrono>

#include "base/limits.h"
#include "unit/support.h"
#include "unit/text/expected.h"

namespace kandinsky::text {
namespace {

using Ids = std::vector<std::int64_t>;

ClipTokenizer load() { return ClipTokenizer::load(test::text_data("clip")); }

TEST(ClipTokenizer, EqualsTransformersForEveryRecordedPrompt) {
  const ClipTokenizer tokenizer = load();
  test::for_each_expected("clip", [&](const std::string& prompt, const nlohmann::json& row) {
    test::expect_row(tokenizer.encode(prompt), row);
    EXPECT_EQ(tokenizer.tokenize(prompt).size(), row.at("num_tokens").get<std::size_t>());
  });
}

TEST(ClipTokenizer, EqualsTransformersForOddPrompts) {
  const ClipTokenizer tokenizer = load();
  test::for_each_odd_prompt([&](const std::string& prompt, const Ids& ids) {
    EXPECT_EQ(tokenizer.tokenize(prompt), ids);
  });
}

TEST(ClipTokenizer, RepairsEachPartOfATextAlone) {
  const ClipTokenizer tokenizer = load();
  const std::vector<std::string_view> parts{"",     "it’s ", "<|endof", "text|>",
                                            "ΟΔΟΣ", "&lt;",  "",        "Σ"};
  const PartTokens tokens = tokenizer.tokenize(parts);
  EXPECT_EQ(tokens.ids, tokenizer.tokenize("it's <|endoftext|>οδος<σ"));
  EXPECT_EQ(tokens.parts[0], 1U);
  EXPECT_EQ(tokens.parts.back(), 7U);
  EXPECT_EQ(std::count(tokens.parts.begin(), tokens.parts.end(), 3U), 1) << "the special token";
}

TEST(ClipTokenizer, KnowsItsSpecialIds) {
  const ClipTokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.bos_id(), 812);
  EXPECT_EQ(tokenizer.eos_id(), 813);
  EXPECT_EQ(tokenizer.pad_id(), 0);  // "!", which special_tokens_map.json declares
  EXPECT_EQ(tokenizer.vocab_size(), 814);
}

TEST(ClipTokenizer, RowsHaveTheLengthThatIsAskedFor) {
  const ClipTokenizer tokenizer = load();
  const Ids content = tokenizer.tokenize("a red circle");
  const auto num_content = static_cast<std::int64_t>(content.size());
  EXPECT_EQ(tokenizer.encode("a red circle", 2).ids, (Ids{812, 813}));
  EXPECT_EQ(tokenizer.encode("a red circle", 2).num_dropped, num_content);
  EXPECT_EQ(tokenizer.encode("a red circle", 3).ids, (Ids{812, content[0], 813}));
  const Tokens fitting = tokenizer.encode("a red circle", static_cast<int>(num_content) + 2);
  EXPECT_EQ(fitting.num_dropped, 0);
  EXPECT_EQ(fitting.ids.back(), 813);
  for (const int length : {1, 0, -1, 1 << 21}) {
    test::expect_error(ErrorCode::kInvalidArgument, "max_length",
                       [&] { (void)tokenizer.encode("a", length); });
  }
}

TEST(ClipTokenizer, RefusesInvalidUtf8AndOverlongPrompts) {
  const ClipTokenizer tokenizer = load();
  test::expect_error(ErrorCode::kInvalidArgument, "byte 0xff at offset 4",
                     [&] { (void)tokenizer.encode("a b \xFF"); });
  test::expect_error(ErrorCode::kInvalidArgument, "offset 0",
                     [&] { (void)tokenizer.encode("\xD0"); });
  const std::string longest(limits::kMaxPromptBytes, 'a');
  EXPECT_GT(tokenizer.encode(longest).num_dropped, 0);
  test::expect_error(ErrorCode::kInvalidArgument, "2097153 bytes",
                     [&] { (void)tokenizer.encode(longest + "a"); });
}

TEST(ClipTokenizer, HostilePromptsTakeLinearTime) {
  const ClipTokenizer tokenizer = load();
  std::string word;
  while (word.size() + 20 < limits::kMaxPromptBytes) word += "redcirclewhite";
  // Marks of alternating class: canonical ordering by neighbour swaps would be quadratic.
  std::string marks = "a";
  while (marks.size() + 4 < limits::kMaxPromptBytes) marks += "\u0301\u0323";
  std::string open;
  while (open.size() + 14 < limits::kMaxPromptBytes) open += "<|endoftext|<";
  std::string sigmas;
  while (sigmas.size() + 3 < limits::kMaxPromptBytes) sigmas += "Σ'";
  for (const std::string& prompt : {word, marks, open, sigmas}) {
    const auto start = std::chrono::steady_clock::now();
    (void)tokenizer.encode(prompt);
    // Seconds on a slow machine with sanitizers; hours if it were quadratic.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  }
}

/// A folder with the good files, for a test to break one of them.
class ClipFilesTest : public testing::Test {
 protected:
  ClipFilesTest()
      : vocab_(test::read_file(test::text_data("clip/vocab.json"))),
        merges_(test::read_file(test::text_data("clip/merges.txt"))) {
    folder_.write("vocab.json", vocab_);
    folder_.write("merges.txt", merges_);
  }
  void refuse(ErrorCode code, std::string_view part) const {
    test::expect_error(code, part, [&] { ClipTokenizer::load(folder_.path()); });
  }
  std::string vocab_without(const std::string& token) const {
    nlohmann::json vocab = nlohmann::json::parse(vocab_);
    EXPECT_EQ(vocab.erase(token), 1U);
    return vocab.dump();
  }

  test::TempFolder folder_;
  std::string vocab_;
  std::string merges_;
};

TEST_F(ClipFilesTest, PadsWithTheEndTokenUnlessAFileSaysOtherwise) {
  EXPECT_EQ(ClipTokenizer::load(folder_.path()).pad_id(), 813);
  folder_.write("tokenizer_config.json", R"({"pad_token": "\"", "model_max_length": 77})");
  EXPECT_EQ(ClipTokenizer::load(folder_.path()).pad_id(), 1);
  folder_.write("special_tokens_map.json", R"({"pad_token": {"content": "#", "lstrip": false}})");
  EXPECT_EQ(ClipTokenizer::load(folder_.path()).pad_id(), 2);
  folder_.write("special_tokens_map.json", R"({"pad_token": "no such token"})");
  refuse(ErrorCode::kCorruptFile, "'no such token' is missing");
  folder_.write("special_tokens_map.json", R"({"pad_token": 3})");
  refuse(ErrorCode::kCorruptFile, "special_tokens_map.json");
}

TEST_F(ClipFilesTest, ReadsMergesWithWindowsLineEnds) {
  std::string windows;
  for (const char c : merges_) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  folder_.write("merges.txt", windows);
  EXPECT_EQ(ClipTokenizer::load(folder_.path()).tokenize("a red circle"),
            load().tokenize("a red circle"));
}

TEST_F(ClipFilesTest, SaysWhichFileIsMissing) {
  std::filesystem::remove(folder_.path("merges.txt"));
  refuse(ErrorCode::kNotFound, "merges.txt");
  std::filesystem::remove(folder_.path("vocab.json"));
  refuse(ErrorCode::kNotFound, "vocab.json");
  test::expect_error(ErrorCode::kNotFound, "/nowhere", [] { ClipTokenizer::load("/nowhere"); });
}

TEST_F(ClipFilesTest, RefusesBrokenVocabularies) {
  for (const char* token : {"a", "a</w>", "\u0100", "<|startoftext|>", "<|endoftext|>"}) {
    folder_.write("vocab.json", vocab_without(token));
    refuse(ErrorCode::kCorruptFile, std::string("'") + token + "' is missing");
  }
  folder_.write("vocab.json", "{\"a\": ");
  refuse(ErrorCode::kCorruptFile, "invalid JSON");
  folder_.write("vocab.json", "[]");
  refuse(ErrorCode::kCorruptFile, "expected an object");
  folder_.write("vocab.json", R"({"a": "b"})");
  refuse(ErrorCode::kCorruptFile, "expected a whole number");
  folder_.write("vocab.json", R"({"a": -1})");
  refuse(ErrorCode::kCorruptFile, "the id of 'a' is -1");
  folder_.write("vocab.json", R"({"a": 4294967296})");
  refuse(ErrorCode::kCorruptFile, "the id of 'a'");
}

TEST_F(ClipFilesTest, RefusesBrokenMerges) {
  const auto broken = [&](std::string_view part, const std::string& lines) {
    folder_.write("merges.txt", "#version: 0.2\n" + lines);
    refuse(ErrorCode::kCorruptFile, part);
  };
  broken("line 2 is not a pair", "abc\n");
  broken("line 2 is not a pair", "a b c\n");
  broken("line 2 is not a pair", " b\n");
  broken("line 2 is not a pair", "a \n");
  broken("line 2 is not a pair", "\na b\n");
  broken("merges.txt: line 2: the token 'zz' is missing", "zz a\n");
  broken("merges.txt: line 2: the token 'ax</w>' is missing", "a x</w>\n");
  broken("too many", std::string(limits::kMaxMergesBytes, '\n'));
}

TEST_F(ClipFilesTest, WorksWithoutAnyMerge) {
  nlohmann::json bytes_only;
  const nlohmann::json vocab = nlohmann::json::parse(vocab_);
  for (const auto& [token, id] : vocab.items()) {
    if (id.get<int>() < 512 || token.starts_with("<|")) bytes_only[token] = id;
  }
  folder_.write("vocab.json", bytes_only.dump());
  folder_.write("merges.txt", "#version: 0.2\n");
  EXPECT_EQ(ClipTokenizer::load(folder_.path()).tokenize("cat").size(), 3U);
}

}  // namespace
}  // namespace kandinsky::text
